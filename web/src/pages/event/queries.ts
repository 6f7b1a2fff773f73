import { graphql, type ResultOf } from '../../graphql/graphql.ts';

export const EVENT = graphql(`
  query Event($application: UUID!, $asOf: AsOf, $event: UUID!) {
    application(id: $application, asOf: $asOf) {
      event(id: $event) {
        id applicationId eventType payloadContentType payloadBytes payloadSha256 payload labels metadata occurredAt receivedAt ip
        deliveryCount
        position { text }
        deliveries {
          id subscriptionId status reason attemptCount dueAt createdAt updatedAt
          subscription { id description target { url } }
        }
        history(first: 50) {
          nodes { position { text } streamId type summary at actor ip changes { path before after } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
`);

export const MORE_HISTORY = graphql(`
  query EventHistory($application: UUID!, $asOf: AsOf, $event: UUID!, $after: String) {
    application(id: $application, asOf: $asOf) {
      event(id: $event) {
        id
        history(first: 50, after: $after) {
          nodes { position { text } streamId type summary at actor ip changes { path before after } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
`);

export const ROUTING = graphql(`
  query EventRouting($application: UUID!, $asOf: AsOf, $event: UUID!) {
    application(id: $application, asOf: $asOf) {
      event(id: $event) {
        id
        routing { subscriptionId description targetUrl isMatch reason explanation delivery { id status } }
      }
    }
  }
`);

export const CAUSATION = graphql(`
  query EventCausation($application: UUID!, $asOf: AsOf, $event: UUID!) {
    application(id: $application, asOf: $asOf) {
      event(id: $event) {
        id
        causation { id causeId kind summary at actor outcome position { text } }
      }
    }
  }
`);

export const LIVE_DELIVERIES = graphql(`
  subscription LiveDeliveriesOfEvent($application: UUID!, $filter: LiveFilter, $after: String) {
    deliveries(applicationId: $application, filter: $filter, after: $after) {
      position
      items { id }
    }
  }
`);

/** Of the event alone, as far as a filter can say it: its type, its labels and the millisecond that it was received in. */
export const PREVIEW = graphql(`
  query EventReplayPreview($application: UUID!, $filter: EventFilter!) {
    application(id: $application) {
      previewReplay(filter: $filter) {
        events { value isExact }
        deliveries
        bySubscription { deliveries subscription { id description target { url } } }
      }
    }
  }
`);

export const REPLAY_EVENT = graphql(`
  mutation ReplayEvent($application: UUID!, $id: UUID!) {
    replayEvent(applicationId: $application, id: $id) { replayed skipped hasMore }
  }
`);

type Application = NonNullable<ResultOf<typeof EVENT>['application']>;
export type Event = NonNullable<Application['event']>;
type Routing = NonNullable<NonNullable<ResultOf<typeof ROUTING>['application']>['event']>['routing'];
export type Decision = Routing[number];
type Causation = NonNullable<NonNullable<ResultOf<typeof CAUSATION>['application']>['event']>['causation'];
export type Step = Causation[number];
