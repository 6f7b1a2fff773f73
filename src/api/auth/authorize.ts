import { notFound } from '../../domain/refusals.ts';
import { Problem } from '../problems.ts';
import type { Principal } from './principal.ts';

/** What can be asked for, in Hook0's names: `<what>:<verb>`. */
export type Action =
  | `${'organization' | 'application' | 'event_type' | 'subscription'}:${'list' | 'create' | 'get' | 'edit' | 'delete'}`
  | `application_secret:${'list' | 'create' | 'edit' | 'delete'}`
  | `event:${'list' | 'get' | 'ingest' | 'replay'}`
  | `delivery:${'list' | 'get' | 'retry' | 'replay' | 'cancel'}`
  | `request_attempt:${'list' | 'get'}`
  | `dead_letter:${'list' | 'replay'}`
  | 'response:get'
  | 'domain_event:list'
  | `events_per_day:${'application' | 'organization'}`;

/** What it is asked of; both ids where both are known. */
export type Resource = {
  readonly organizationId?: string | undefined;
  readonly applicationId?: string | undefined;
  /** What the client named, when that is not one of the two: a refusal must speak of nothing else. */
  readonly named?: { readonly what: string; readonly id: string };
};

/** What the secret of an application does not open: everything above its application. */
const ABOVE_APPLICATION = new Set<Action>([
  'organization:create',
  'organization:edit',
  'organization:delete',
  'application:create',
  'application:delete',
  'events_per_day:organization',
]);

/**
 * The one decision of who may do what. Throws `Forbidden` for what the token cannot do at all, and `NotFound` for what
 * belongs to somebody else: a foreign id is answered like one that does not exist, word for word.
 */
export const authorize = (principal: Principal, action: Action, resource: Resource): void => {
  if (principal.kind === 'master') return;
  if (ABOVE_APPLICATION.has(action))
    throw new Problem(
      'Forbidden',
      `An application secret cannot do ${action}; use a token of the organization or the master key.`,
    );
  const { organizationId, applicationId, named } = resource;
  if (organizationId !== undefined && organizationId !== principal.organizationId)
    throw notFound(named?.what ?? 'organization', named?.id ?? organizationId);
  if (applicationId !== undefined && applicationId !== principal.applicationId)
    throw notFound(named?.what ?? 'application', named?.id ?? applicationId);
};
