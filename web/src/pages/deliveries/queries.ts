import { graphql } from '../../graphql/graphql.ts';

export const NEWEST_ATTEMPTS = graphql(`
  query NewestAttempts($application: UUID!, $asOf: AsOf, $first: Int!, $after: String, $filter: RequestAttemptFilter) {
    application(id: $application, asOf: $asOf) {
      requestAttempts(first: $first, after: $after, filter: $filter) {
        nodes {
          id deliveryId eventId eventType subscriptionId attemptNumber status reason httpStatus createdAt dueAt finishedAt
          timings { totalMs }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

export const LIVE_ATTEMPTS = graphql(`
  subscription LiveAttempts($application: UUID!, $filter: LiveFilter, $after: String) {
    requestAttempts(applicationId: $application, filter: $filter, after: $after) {
      position leftOut isCaughtUp
      items { id deliveryId eventId eventType subscriptionId attemptNumber status reason httpStatus durationMs at dueAt }
    }
  }
`);

export const CHOICES = graphql(`
  query Choices($application: UUID!, $asOf: AsOf) {
    application(id: $application, asOf: $asOf) {
      subscriptions(first: 100) { nodes { id description target { url } } }
      eventTypes(first: 100) { nodes { name } }
    }
  }
`);
