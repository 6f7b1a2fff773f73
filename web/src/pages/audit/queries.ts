import { graphql } from '../../graphql/graphql.ts';

export const AUDIT = graphql(`
  query AuditTrail($application: UUID!, $asOf: AsOf, $after: String, $filter: AuditFilter) {
    application(id: $application, asOf: $asOf) {
      auditTrail(first: 50, after: $after, filter: $filter) {
        nodes { position { text } streamId type summary at actor ip changes { path before after } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
