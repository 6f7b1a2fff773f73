import { graphql, type ResultOf } from '../../graphql/graphql.ts';

export const DEAD_LETTERS = graphql(`
  query DeadLetters($application: UUID!, $asOf: AsOf, $first: Int!, $after: String, $filter: DeadLetterFilter) {
    application(id: $application, asOf: $asOf) {
      deadLetters(first: $first, after: $after, filter: $filter) {
        nodes {
          deliveryId subscriptionId eventId eventType reason attemptCount lastFailure lastHttpStatus deadLetteredAt
          subscription { id description target { url } }
        }
        pageInfo { hasNextPage endCursor }
        totalCount(upTo: 100000) { value isExact }
      }
    }
  }
`);

export const GROUPS = graphql(`
  query DeadLetterGroups($application: UUID!, $asOf: AsOf, $filter: DeadLetterFilter) {
    application(id: $application, asOf: $asOf) {
      deadLetterGroups(filter: $filter) {
        subscriptionId reason lastFailure count oldestAt newestAt
        subscription { id description target { url } }
      }
    }
  }
`);

export const REPLAY_DELIVERY = graphql(`
  mutation ReplayDeadLetter($id: UUID!) {
    replayDelivery(id: $id) { id status }
  }
`);

export const REPLAY_DEAD_LETTERS = graphql(`
  mutation ReplayDeadLetters($application: UUID!, $filter: DeadLetterFilter) {
    replayDeadLetters(applicationId: $application, filter: $filter) { replayed skipped hasMore }
  }
`);

type Application = NonNullable<ResultOf<typeof DEAD_LETTERS>['application']>;
export type Row = Application['deadLetters']['nodes'][number];
type GroupsOf = NonNullable<ResultOf<typeof GROUPS>['application']>;
export type Group = GroupsOf['deadLetterGroups'][number];
