import { graphql } from '../../graphql/graphql.ts';

export const APPLICATIONS = graphql(`
  query OrganizationApplications($organization: UUID!, $after: String) {
    organization(id: $organization) {
      applications(first: 25, after: $after) {
        nodes { id name createdAt counts { events subscriptions eventTypes deadLettered } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
