import { graphql } from '../../graphql/graphql.ts';

export const COUNTS = graphql(`
  query UsageCounts($application: UUID!) {
    application(id: $application) { counts { subscriptions eventTypes } }
  }
`);
