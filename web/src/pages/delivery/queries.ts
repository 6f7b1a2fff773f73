import { graphql, type ResultOf } from '../../graphql/graphql.ts';

export const DELIVERY = graphql(`
  query Delivery($application: UUID!, $asOf: AsOf, $delivery: UUID!) {
    application(id: $application, asOf: $asOf) {
      asOf { instant }
      delivery(id: $delivery) {
        id applicationId eventId eventType subscriptionId status reason attemptCount dueAt createdAt updatedAt
        position { partition position text }
        subscription { id description isEnabled deletedAt target { url } }
        attempts {
          id attemptNumber retryCount status reason message httpStatus createdAt dueAt startedAt finishedAt
          timings { dnsMs connectMs tlsMs firstByteMs bodyMs totalMs }
          response { headers body bodyBytes isTruncated }
          request { method url headers }
        }
        history(first: 50) {
          nodes { position { text } streamId type summary at actor ip changes { path before after } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
`);

/** Asked for when it is needed: a payload may be half a megabyte. */
export const PAYLOAD = graphql(`
  query DeliveryPayload($application: UUID!, $asOf: AsOf, $event: UUID!) {
    application(id: $application, asOf: $asOf) {
      event(id: $event) { id payload payloadContentType }
    }
  }
`);

export const MORE_HISTORY = graphql(`
  query DeliveryHistory($application: UUID!, $asOf: AsOf, $delivery: UUID!, $after: String) {
    application(id: $application, asOf: $asOf) {
      delivery(id: $delivery) {
        id
        history(first: 50, after: $after) {
          nodes { position { text } streamId type summary at actor ip changes { path before after } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
`);

export const LIVE_DELIVERY = graphql(`
  subscription LiveDelivery($application: UUID!, $filter: LiveFilter, $after: String) {
    deliveries(applicationId: $application, filter: $filter, after: $after) {
      position
      items { id position { partition position } }
    }
  }
`);

export const RETRY = graphql(`
  mutation RetryDelivery($id: UUID!) {
    retryDelivery(id: $id) { id status }
  }
`);

export const CANCEL = graphql(`
  mutation CancelDelivery($id: UUID!) {
    cancelDelivery(id: $id) { id status }
  }
`);

export const REPLAY = graphql(`
  mutation ReplayDelivery($id: UUID!) {
    replayDelivery(id: $id) { id status }
  }
`);

type Application = NonNullable<ResultOf<typeof DELIVERY>['application']>;
export type Delivery = NonNullable<Application['delivery']>;
export type Attempt = Delivery['attempts'][number];
