import { graphql } from '../../graphql/graphql.ts';

export const OVERVIEW = graphql(`
  query Overview($application: UUID!, $asOf: AsOf, $from: DateTime!, $to: DateTime!, $buckets: Int!) {
    application(id: $application, asOf: $asOf) {
      id
      counts { events pending waiting deadLettered subscriptions eventTypes }
      traffic(from: $from, to: $to, buckets: $buckets) {
        total { events succeeded failed timeouts deadLettered p50Ms p95Ms p99Ms }
        buckets { from to events succeeded failed p50Ms p95Ms p99Ms }
        subscriptions {
          subscription { id description isEnabled disabledReason target { url } }
          total { succeeded failed p95Ms }
          buckets { from succeeded failed }
        }
      }
    }
  }
`);

export const TRAFFIC = graphql(`
  subscription Traffic($application: UUID!) {
    traffic(applicationId: $application) { at events succeeded failed deadLettered p50Ms }
  }
`);
