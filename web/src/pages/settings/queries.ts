import { graphql } from '../../graphql/graphql.ts';

export const APPLICATION = graphql(`
  query ApplicationSettings($application: UUID!, $asOf: AsOf) {
    application(id: $application, asOf: $asOf) {
      id name createdAt
      organization { id name }
      counts { subscriptions pending waiting }
    }
  }
`);
export const RENAME_APPLICATION = graphql(`
  mutation RenameApplication($id: UUID!, $name: String!) {
    editApplication(id: $id, name: $name) { id name }
  }
`);
export const DELETE_APPLICATION = graphql(`
  mutation DeleteApplication($id: UUID!) {
    deleteApplication(id: $id) { id }
  }
`);

export const ORGANIZATION = graphql(`
  query OrganizationSettings($organization: UUID!) {
    organization(id: $organization) { id name createdAt role applications(first: 1) { totalCount { value } } }
  }
`);
export const RENAME_ORGANIZATION = graphql(`
  mutation RenameOrganization($id: UUID!, $name: String!) {
    editOrganization(id: $id, name: $name) { id name }
  }
`);
export const DELETE_ORGANIZATION = graphql(`
  mutation DeleteOrganization($id: UUID!, $erase: Boolean!) {
    deleteOrganization(id: $id, erase: $erase) { id }
  }
`);
