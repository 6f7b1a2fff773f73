import { graphql } from '../../graphql/graphql.ts';

export const REFUSALS = graphql(`
  query Refusals($organization: UUID!, $after: String) {
    organization(id: $organization) {
      refusals(first: 50, after: $after) {
        nodes { position { text } organizationId actor action problem count ips lastAt }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
/** Whose ids the log names: those of the first hundred. */
export const NAMES = graphql(`
  query NamesOfActors($organization: UUID!) {
    organization(id: $organization) {
      members(first: 100) { nodes { id email } }
      serviceTokens(first: 100) { nodes { id name } }
    }
  }
`);
export const INSTANCE_REFUSALS = graphql(`
  query InstanceRefusals($after: String) {
    instance {
      refusals(first: 50, after: $after) {
        nodes { position { text } organizationId actor action problem count ips lastAt }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
export const RETENTION = graphql(`
  query RetentionRuns($after: String) {
    instance {
      retention(first: 50, after: $after) {
        nodes { position { text } at payloadDays responseDays gone { kind rows } bytes }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
