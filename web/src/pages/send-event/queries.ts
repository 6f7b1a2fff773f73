import { graphql } from '../../graphql/graphql.ts';

export const TYPES = graphql(`
  query SendableTypes($application: UUID!) {
    application(id: $application) { eventTypes(first: 100) { nodes { name } } }
  }
`);
export const LAST_OF_TYPE = graphql(`
  query LastOfType($application: UUID!, $type: String!) {
    application(id: $application) { events(first: 1, filter: { eventType: $type }) { nodes { id payload payloadContentType labels } } }
  }
`);
export const SEND = graphql(`
  mutation SendEvent($input: SendEventInput!) {
    sendEvent(input: $input) { id eventType deliveryCount }
  }
`);
