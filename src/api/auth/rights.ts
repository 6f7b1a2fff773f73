import type { Action } from '../../domain/access/actions.ts';
import { isRefusal } from '../problems.ts';
import { authorize, type Resource, WITHOUT_ORGANIZATION } from './authorize.ts';
import type { Principal } from './principal.ts';

/** Facts that come with a request for this one thing, and that nobody knows before. */
const TO_COME: Readonly<Partial<Record<Action, RegExp>>> = {
  'event:ingest': /\b(event_type_names|labels)\(/,
  'subscription:get': /\bsubscription_id\(/,
  'subscription:edit': /\bsubscription_id\(/,
  'subscription:delete': /\bsubscription_id\(/,
  'service_token:get': /\bservice_token_id\(/,
  'service_token:edit': /\bservice_token_id\(/,
  'service_token:delete': /\bservice_token_id\(/,
};

/** Asked of an organization; everything else is asked of an application. */
const isOfOrganization = (action: Action): boolean =>
  /^(organization|member|refusal|service_token):/.test(action) ||
  ['application:list', 'application:create', 'events_per_day:organization'].includes(action);

/** As it decides, and tells nobody; of facts to come the best is assumed. */
const supposing = (principal: Principal, action: Action): Principal => {
  if (principal.kind === 'master') return principal;
  const quiet = { ...principal, refused: () => undefined };
  const toCome = TO_COME[action];
  if (quiet.kind !== 'service_token' || !toCome) return quiet;
  return { ...quiet, failing: (ask) => quiet.failing(ask).filter((check) => !toCome.test(check)) };
};

const passes = (principal: Principal, action: Action, resource: Resource): boolean => {
  try {
    authorize(supposing(principal, action), action, resource);
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
};

/** Where something is asked for. Without an application nothing that is asked of one is open. */
export type Place = Pick<Resource, 'organizationId' | 'applicationId'>;

/**
 * Of these actions those that some request there could do, by the very decision that requests go through; for whoever offers
 * them to people. A request can still be refused, such as for the type of its event.
 */
export const rightsOf = (
  principal: Principal,
  actions: readonly Action[],
  { organizationId, applicationId }: Place,
): readonly Action[] =>
  actions.filter((action) => {
    if (WITHOUT_ORGANIZATION.has(action)) return passes(principal, action, {});
    if (isOfOrganization(action)) return passes(principal, action, { organizationId });
    return applicationId !== undefined && passes(principal, action, { organizationId, applicationId });
  });
