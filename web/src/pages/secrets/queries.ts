import { graphql } from '../../graphql/graphql.ts';

export const SECRETS = graphql(`
  query ApplicationSecrets($application: UUID!, $asOf: AsOf) {
    application(id: $application, asOf: $asOf) { secrets { id name createdAt } }
  }
`);
export const CREATE_SECRET = graphql(`
  mutation CreateApplicationSecret($application: UUID!, $name: String) {
    createApplicationSecret(applicationId: $application, name: $name) { secret { id name } token }
  }
`);
export const RENAME_SECRET = graphql(`
  mutation EditApplicationSecret($application: UUID!, $id: UUID!, $name: String) {
    editApplicationSecret(applicationId: $application, id: $id, name: $name) { id name }
  }
`);
export const REVOKE_SECRET = graphql(`
  mutation DeleteApplicationSecret($application: UUID!, $id: UUID!) {
    deleteApplicationSecret(applicationId: $application, id: $id) { id }
  }
`);
