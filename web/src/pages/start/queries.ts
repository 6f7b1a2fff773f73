import { graphql } from '../../graphql/graphql.ts';

export const PROGRESS = graphql(`
  query FirstRun($application: UUID!) {
    instance { builtInReceiverUrl }
    application(id: $application) {
      counts { events succeeded subscriptions eventTypes }
      eventTypes(first: 1) { nodes { name } }
      subscriptions(first: 1) { nodes { id } }
      deliveries(first: 1, filter: { status: SUCCEEDED }) { nodes { id } }
    }
  }
`);

export const CREATE_ORGANIZATION = graphql(`
  mutation CreateOrganization($name: String!) {
    createOrganization(input: { name: $name }) { id }
  }
`);
export const CREATE_APPLICATION = graphql(`
  mutation CreateApplication($organization: UUID!, $name: String!) {
    createApplication(input: { organizationId: $organization, name: $name }) { id }
  }
`);
