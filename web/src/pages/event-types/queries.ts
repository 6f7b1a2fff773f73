import { graphql } from '../../graphql/graphql.ts';

export const EVENT_TYPES = graphql(`
  query EventTypes($application: UUID!, $asOf: AsOf) {
    application(id: $application, asOf: $asOf) {
      eventTypes(first: 100) {
        nodes { name createdAt activeSchema { version } subscriptions { id description target { url } } }
        pageInfo { hasNextPage }
      }
    }
  }
`);
export const CREATE_EVENT_TYPE = graphql(`
  mutation CreateEventType($application: UUID!, $name: String!) {
    createEventType(applicationId: $application, name: $name) { name }
  }
`);
export const DEACTIVATE_EVENT_TYPE = graphql(`
  mutation DeactivateEventType($application: UUID!, $name: String!) {
    deactivateEventType(applicationId: $application, name: $name) { id }
  }
`);
