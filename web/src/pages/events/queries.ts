import { graphql, type ResultOf } from '../../graphql/graphql.ts';

export const EVENTS = graphql(`
  query Events($application: UUID!, $asOf: AsOf, $first: Int!, $after: String, $filter: EventFilter) {
    application(id: $application, asOf: $asOf) {
      events(first: $first, after: $after, filter: $filter) {
        nodes { id eventType labels payloadBytes receivedAt deliveryCount deliveries { id status } }
        pageInfo { hasNextPage endCursor }
        totalCount { value isExact }
      }
    }
  }
`);

export const LIVE_EVENTS = graphql(`
  subscription LiveEvents($application: UUID!, $filter: LiveFilter, $after: String) {
    events(applicationId: $application, filter: $filter, after: $after) {
      position leftOut
      items { id }
    }
  }
`);

type Application = NonNullable<ResultOf<typeof EVENTS>['application']>;
export type Row = Application['events']['nodes'][number];
