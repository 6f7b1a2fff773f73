import { graphql } from '../../graphql/graphql.ts';

export const EVENT_TYPE = graphql(`
  query EventTypeSchemas($application: UUID!, $asOf: AsOf, $name: String!) {
    application(id: $application, asOf: $asOf) {
      eventType(name: $name) {
        name createdAt
        subscriptions { id description target { url } }
        activeSchema { version }
        schemas(first: 100) { version isActive schema sha256 createdAt }
        history(first: 20) {
          nodes { position { text } streamId type summary at actor ip changes { path before after } }
        }
      }
    }
  }
`);
export const SCHEMA_CHECK = graphql(`
  query SchemaCheck($application: UUID!, $name: String!, $version: Int!) {
    application(id: $application) {
      eventType(name: $name) {
        schemaCheck(version: $version) {
          checked refused oldest isComplete
          examples { eventId findings { path keyword message } }
        }
      }
    }
  }
`);
export const ADD_SCHEMA = graphql(`
  mutation AddEventTypeSchema($application: UUID!, $name: String!, $schema: JSON!) {
    addEventTypeSchema(applicationId: $application, name: $name, schema: $schema) { version }
  }
`);
export const ACTIVATE_SCHEMA = graphql(`
  mutation ActivateEventTypeSchema($application: UUID!, $name: String!, $version: Int!, $expected: Int!) {
    activateEventTypeSchema(applicationId: $application, name: $name, version: $version, expectedRefusals: $expected) { name }
  }
`);
export const DEACTIVATE_SCHEMA = graphql(`
  mutation DeactivateEventTypeSchema($application: UUID!, $name: String!) {
    deactivateEventTypeSchema(applicationId: $application, name: $name) { name }
  }
`);
