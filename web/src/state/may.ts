import { router } from '../router.svelte.ts';
import { workspace } from './workspace.svelte.ts';

/** What a page may want to do, in the API's names. */
export type Action =
  | `organization:${'create' | 'get' | 'edit' | 'invite' | 'revoke' | 'edit_role'}`
  | `application:${'get' | 'create' | 'edit'}`
  | `application_secret:${'list' | 'create' | 'edit' | 'delete'}`
  | `service_token:${'list' | 'create' | 'get' | 'edit' | 'delete'}`
  | `event_type:${'get' | 'create' | 'edit' | 'delete'}`
  | `subscription:${'get' | 'create' | 'edit' | 'delete'}`
  | `event:${'get' | 'ingest' | 'replay'}`
  | `delivery:${'retry' | 'replay' | 'cancel'}`
  | 'dead_letter:replay';

const isReading = (action: Action): boolean => /:(list|get)$/.test(action);

/** Credentials of machines are nothing for viewers, not even their names. */
const isAboutCredentials = (action: Action): boolean => /^(application_secret|service_token):/.test(action);

const isAboveApplications = (action: Action): boolean =>
  (/^(organization|service_token):/.test(action) && action !== 'organization:get') || action === 'application:create';

/**
 * Whether to offer it: by what the viewer is in the organization at hand, and never a change of the past. A courtesy only: the API
 * decides, and knows restrictions of a token that nobody sees here.
 */
export const may = (action: Action): boolean => {
  if (router.asOf !== null && !isReading(action)) return false;
  switch (workspace.viewer?.kind) {
    case 'master':
      return true;
    case 'application_secret':
      return !isAboveApplications(action);
    case 'service_token':
      return action !== 'organization:create' && !(workspace.isBlind && isAboveApplications(action));
    case 'user': {
      if (action === 'organization:create') return true;
      const role = workspace.organization?.role;
      if (role === 'owner' || role === 'editor') return true;
      return role === 'viewer' && isReading(action) && !isAboutCredentials(action);
    }
    default:
      return false;
  }
};
