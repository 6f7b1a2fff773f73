import { graphql } from '../../graphql/graphql.ts';

export const SUBSCRIPTIONS = graphql(`
  query Subscriptions($application: UUID!, $asOf: AsOf) {
    application(id: $application, asOf: $asOf) {
      subscriptions(first: 100) {
        nodes {
          id description isEnabled disabledReason eventTypes labels target { method url } updatedAt
          traffic(minutes: 60, buckets: 30) { from succeeded failed p95Ms }
        }
        pageInfo { hasNextPage }
      }
    }
  }
`);

export const SUBSCRIPTION = graphql(`
  query Subscription($application: UUID!, $asOf: AsOf, $id: UUID!) {
    application(id: $application, asOf: $asOf) {
      subscription(id: $id) {
        id description isEnabled disabledReason eventTypes labels metadata target { method url headerNames }
        retrySchedule concurrencyMax signEd25519 previousSecretValidUntil createdAt updatedAt
        history(first: 20) {
          nodes { position { text } streamId type summary at actor ip changes { path before after } }
          pageInfo { hasNextPage }
        }
      }
    }
  }
`);

export const PREVIEW = graphql(`
  query Preview($application: UUID!, $eventTypes: [String!]!, $labels: StringMap) {
    application(id: $application) {
      eventTypes(first: 100) { nodes { name } }
      previewSubscription(eventTypes: $eventTypes, labels: $labels, last: 100) {
        looked matched
        events { isMatch reason event { id eventType receivedAt labels } }
      }
    }
  }
`);

export const CREATE = graphql(`
  mutation CreateSubscription($input: SubscriptionInput!) {
    createSubscription(input: $input) { subscription { id } }
  }
`);
export const REPLACE = graphql(`
  mutation ReplaceSubscription($id: UUID!, $input: SubscriptionInput!) {
    replaceSubscription(id: $id, input: $input) { id }
  }
`);
export const SET_ENABLED = graphql(`
  mutation SetSubscriptionEnabled($id: UUID!, $isEnabled: Boolean!) {
    setSubscriptionEnabled(id: $id, isEnabled: $isEnabled) { id isEnabled }
  }
`);
export const DELETE = graphql(`
  mutation DeleteSubscription($id: UUID!) {
    deleteSubscription(id: $id) { id }
  }
`);
export const REVEAL = graphql(`
  mutation RevealSubscription($id: UUID!) {
    revealSubscription(id: $id) { secret signingSecret headers publicKey }
  }
`);
export const ROTATE = graphql(`
  mutation RotateSubscriptionSecret($id: UUID!, $overlapSeconds: Int) {
    rotateSubscriptionSecret(id: $id, overlapSeconds: $overlapSeconds) { subscription { id } }
  }
`);
export const TEST = graphql(`
  mutation SendTestEvent($id: UUID!, $eventType: String, $payload: String) {
    sendTestEvent(subscriptionId: $id, eventType: $eventType, payload: $payload) { id eventId }
  }
`);
export const TESTED = graphql(`
  query TestedDelivery($application: UUID!, $id: UUID!) {
    application(id: $application) {
      delivery(id: $id) {
        status reason
        attempts { attemptNumber status httpStatus message timings { totalMs } response { body isTruncated } }
      }
    }
  }
`);
