import type { Action } from '../../domain/access/actions.ts';
import type { Role } from '../../domain/organization/role.ts';
import { notFound } from '../../domain/refusals.ts';
import { Problem } from '../problems.ts';
import { type Ask, actorOf, type Principal } from './principal.ts';

/** What it is asked of. Only what is about no organization yet leaves the organization out. */
export type Resource = {
  readonly organizationId?: string | undefined;
  readonly applicationId?: string | undefined;
  readonly subscriptionId?: string | undefined;
  readonly serviceTokenId?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What the client named, when that is not one of the two: a refusal must speak of nothing else. */
  readonly named?: { readonly what: string; readonly id: string } | undefined;
};

/** What the secret of an application does not open: everything above its application. */
const ABOVE_APPLICATION = new Set<Action>([
  'organization:create',
  'organization:edit',
  'organization:delete',
  'organization:invite',
  'organization:revoke',
  'organization:edit_role',
  'organization:edit_quotas',
  'member:list',
  'refusal:list',
  'application:create',
  'application:delete',
  'events_per_day:organization',
  'service_token:list',
  'service_token:create',
  'service_token:get',
  'service_token:edit',
  'service_token:delete',
]);

/** What is about no organization that exists. */
export const WITHOUT_ORGANIZATION = new Set<Action>(['organization:list', 'organization:create']);

/** Whoever runs the instance decides these, with the master key. */
const OF_THE_INSTANCE = new Set<Action>(['organization:edit_quotas']);

/** Only people have sessions and passwords, found organizations, and look after those who have tokens. */
const NOT_OF_SERVICES = new Set<Action>([
  'auth:logout',
  'auth:change_password',
  'organization:create',
  'refusal:list',
  ...OF_THE_INSTANCE,
]);

/** Of the checks that a token does not pass, as many are told. */
const REASONS_MAX = 3;

const OF_OWNERS = new Set<Action>(['organization:delete', 'refusal:list']);

/** Reading, but for what shows the credentials of machines. */
const isOpenToViewers = (action: Action): boolean =>
  /:(list|get|application|organization)$/.test(action) &&
  !action.startsWith('application_secret:') &&
  !action.startsWith('service_token:');

/** The roles that may do it in an organization. */
export const rolesFor = (action: Action): readonly Role[] => {
  if (OF_THE_INSTANCE.has(action)) return [];
  if (OF_OWNERS.has(action)) return ['owner'];
  return isOpenToViewers(action) ? ['owner', 'editor', 'viewer'] : ['owner', 'editor'];
};

/**
 * The one decision of who may do what. Throws `Forbidden` for what the token cannot do, and `NotFound` for what belongs to
 * somebody else: a foreign id is answered like one that does not exist, word for word.
 */
export const authorize = (principal: Principal, action: Action, resource: Resource): void => {
  if (principal.kind === 'master') return;
  try {
    decide(principal, action, resource);
  } catch (error) {
    principal.refused({
      actor: actorOf(principal),
      action,
      id: error instanceof Problem ? error.id : 'NotFound',
      organizationId: concerned(principal, resource),
    });
    throw error;
  }
};

/** Asking for what is somebody else's is a matter of the organization that owns the token. A person belongs to none in particular. */
const concerned = (principal: Tenant, { organizationId }: Resource): string | null => {
  if (principal.kind !== 'user') return principal.organizationId;
  return organizationId !== undefined && principal.roles.has(organizationId) ? organizationId : null;
};

type Tenant = Exclude<Principal, { kind: 'master' }>;

const decide = (principal: Tenant, action: Action, resource: Resource): void => {
  const { organizationId, applicationId, named } = resource;
  const unknown = (): Error =>
    notFound(
      named?.what ?? (applicationId === undefined ? 'organization' : 'application'),
      named?.id ?? applicationId ?? organizationId ?? 'of that kind',
    );
  switch (principal.kind) {
    case 'application_secret':
      if (organizationId !== undefined && organizationId !== principal.organizationId) throw unknown();
      if (applicationId !== undefined && applicationId !== principal.applicationId) throw unknown();
      // Last: what it says of an action must not tell whether somebody else's object is there.
      if (ABOVE_APPLICATION.has(action))
        throw forbidden(action, 'an application secret cannot; use a token of the organization');
      return;
    case 'service_token': {
      if (
        organizationId !== principal.organizationId &&
        !(organizationId === undefined && WITHOUT_ORGANIZATION.has(action))
      )
        throw unknown();
      if (NOT_OF_SERVICES.has(action)) throw forbidden(action, 'sign in as a person, or use the master key');
      const failing = principal.failing(askOf(action, { ...resource, organizationId: principal.organizationId }));
      if (failing.length > 0)
        throw forbidden(
          action,
          `the token was restricted and does not pass: ${failing.slice(0, REASONS_MAX).join('; ')}`,
        );
      return;
    }
    case 'user': {
      if (organizationId === undefined) {
        if (WITHOUT_ORGANIZATION.has(action)) return;
        throw unknown();
      }
      const role = principal.roles.get(organizationId);
      if (role === undefined) throw unknown();
      const roles = rolesFor(action);
      if (roles.length === 0) throw forbidden(action, 'use the master key');
      if (!roles.includes(role)) throw forbidden(action, `you are ${role} there, and it takes ${roles.join(' or ')}`);
    }
  }
};

const askOf = (action: Action, resource: Resource, roles: readonly Role[] = rolesFor(action)): Ask => {
  const { organizationId, applicationId, subscriptionId, serviceTokenId, eventTypes, labels } = resource;
  return {
    action,
    allowedRoles: [...roles, 'service'],
    organizationId,
    applicationId,
    subscriptionId,
    serviceTokenId,
    eventTypes,
    labels,
  };
};

const forbidden = (action: Action, advice: string): Problem =>
  new Problem('Forbidden', `This token cannot do ${action}: ${advice}.`);

/** How long after the password was given secrets are shown to a person. */
export const REAUTHENTICATION_MS = 10 * 60_000;

const SEE_SECRETS: readonly Role[] = ['owner', 'editor'];

/**
 * Whether secrets may be shown along with what the action shows: to machines that were given the right, to people who may edit and
 * gave their password a short while ago, never to viewers, nor to a token that was restricted to what viewers may.
 */
export const maySeeSecrets = (
  principal: Principal,
  action: Action,
  resource: Resource & { readonly organizationId: string },
  now: Date,
): boolean => {
  switch (principal.kind) {
    case 'user': {
      const role = principal.roles.get(resource.organizationId);
      return role !== undefined && SEE_SECRETS.includes(role) && isFresh(principal.authenticatedAt, now);
    }
    case 'service_token':
      return principal.failing(askOf(action, resource, SEE_SECRETS)).length === 0;
    default:
      return true;
  }
};

const isFresh = (authenticatedAt: Date, now: Date): boolean =>
  now.getTime() - authenticatedAt.getTime() < REAUTHENTICATION_MS;

/** Throws `ReauthenticationNeeded` when a person's password was given too long ago. */
export const requireFreshPassword = (principal: Principal, now: Date): void => {
  if (principal.kind === 'user' && !isFresh(principal.authenticatedAt, now))
    throw new Problem(
      'ReauthenticationNeeded',
      `The password was given more than ${REAUTHENTICATION_MS / 60_000} minutes ago. Send it to POST /api/v1/auth/confirm first.`,
    );
};
