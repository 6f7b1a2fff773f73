import { graphql, type ResultOf } from '../../graphql/graphql.ts';

export const REPLAY_PREVIEW = graphql(`
  query ReplayPreview($application: UUID!, $filter: EventFilter!, $subscription: UUID) {
    application(id: $application) {
      previewReplay(filter: $filter, subscriptionId: $subscription) {
        events { value isExact }
        deliveries
        bySubscription { deliveries subscription { id description target { url } } }
      }
      events(first: 5, filter: $filter) {
        nodes { id eventType labels receivedAt }
      }
    }
  }
`);

export const REPLAY_EVENTS = graphql(`
  mutation ReplayEvents($application: UUID!, $filter: EventFilter!, $subscription: UUID, $expected: Int!) {
    replayEvents(applicationId: $application, filter: $filter, subscriptionId: $subscription, expected: $expected) {
      replayed skipped hasMore
    }
  }
`);

type Application = NonNullable<ResultOf<typeof REPLAY_PREVIEW>['application']>;
export type Preview = Application['previewReplay'];
export type Sample = Application['events']['nodes'];
export type Result = ResultOf<typeof REPLAY_EVENTS>['replayEvents'];
