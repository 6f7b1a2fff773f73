import { graphql } from '../../graphql/graphql.ts';

export const SERVICE_TOKENS = graphql(`
  query ServiceTokens($organization: UUID!, $after: String) {
    organization(id: $organization) {
      serviceTokens(first: 50, after: $after) {
        nodes { id name revocationId createdAt lastUsedAt }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
export const CREATE_TOKEN = graphql(`
  mutation CreateServiceToken($organization: UUID!, $name: String!) {
    createServiceToken(organizationId: $organization, name: $name) { serviceToken { id name } token }
  }
`);
export const RENAME_TOKEN = graphql(`
  mutation RenameServiceToken($id: UUID!, $name: String!) {
    renameServiceToken(id: $id, name: $name) { id name }
  }
`);
export const REVOKE_TOKEN = graphql(`
  mutation RevokeServiceToken($id: UUID!) {
    revokeServiceToken(id: $id) { id }
  }
`);
export const REVEAL_TOKEN = graphql(`
  mutation RevealServiceToken($id: UUID!) {
    revealServiceToken(id: $id) { token }
  }
`);
