import type { Ids } from './ids.ts';

/**
 * What an operation is to those who ask:
 *
 * - `read`: of a tenant, open to its viewers
 * - `guarded`: of a tenant, reading what viewers may not see
 * - `write`: of a tenant, changes something
 * - `list`: names no tenant and answers with what is one's own
 * - `self`: of the person who asks
 * - `master`: of whoever runs the instance
 * - `public`: asks for no token
 */
export type Kind = 'read' | 'guarded' | 'write' | 'list' | 'self' | 'master' | 'public';

export type Operation = {
  readonly kind: Kind;
  /** Parts of the query by their names in it. */
  readonly query?: (ids: Ids) => Readonly<Record<string, string>>;
  readonly body?: (ids: Ids) => unknown;
};

const inApplication = ({ applicationId }: Ids) => ({ application_id: applicationId });
const inOrganization = ({ organizationId }: Ids) => ({ organization_id: organizationId });
const ofApplication = (kind: Kind): Operation => ({ kind, query: inApplication });
const bodyOfApplication = (kind: Kind, rest: (ids: Ids) => object = () => ({})): Operation => ({
  kind,
  body: (ids) => ({ ...inApplication(ids), ...rest(ids) }),
});
const plain = (kind: Kind, body?: (ids: Ids) => unknown): Operation => ({ kind, ...(body && { body }) });
const settings = () => ({
  is_enabled: false,
  event_types: ['*'],
  target: { type: 'http', method: 'POST', url: 'https://example.org/' },
});
const STRANGER = 'nobody@example.com';
const PASSWORD = 'wrong horse battery staple';

/** How each operation of the OpenAPI document is asked for; what stands in its path is taken from the ids by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  getLiveness: plain('public'),
  getReadiness: plain('public'),
  getMetrics: plain('public'),
  listPublicKeys: plain('public'),
  getInstance: plain('public'),
  getQuotas: plain('public'),
  listErrors: plain('public'),
  listPayloadContentTypes: plain('public'),
  getHealth: plain('public'),
  listEnvironmentVariables: plain('public'),
  register: plain('public', () => ({ first_name: 'A', last_name: 'B', email: STRANGER, password: 'short' })),
  login: plain('public', () => ({ email: STRANGER, password: PASSWORD })),
  refresh: plain('public', () => ({ refresh_token: 'none' })),
  verifyEmail: plain('public', () => ({ token: 'none' })),
  resendVerificationEmail: plain('public', () => ({ email: STRANGER })),
  beginResetPassword: plain('public', () => ({ email: STRANGER })),
  resetPassword: plain('public', () => ({ token: 'none', new_password: PASSWORD })),
  unsubscribeReactivation: plain('public', () => ({ token: 'none' })),

  ingestEvent: bodyOfApplication('write', ({ eventType }) => ({ event_type: eventType, payload: {} })),
  // One event, as this route takes it, too; a batch has an outcome for each, and a test of its own.
  ingestEvents: bodyOfApplication('write', ({ eventType }) => ({ event_type: eventType, payload: {} })),
  listEvents: ofApplication('read'),
  getEvent: ofApplication('read'),
  eraseEventPayload: ofApplication('write'),
  listEventDeliveries: ofApplication('read'),
  replayEvent: bodyOfApplication('write'),
  replayEvents: bodyOfApplication('write', ({ subscriptionId }) => ({
    filter: {},
    subscription_id: subscriptionId,
    expected: 1,
  })),
  previewReplay: bodyOfApplication('read', ({ subscriptionId }) => ({ filter: {}, subscription_id: subscriptionId })),
  countEventsOfApplication: ofApplication('read'),
  countEventsOfOrganization: { kind: 'read', query: inOrganization },

  listEventTypes: ofApplication('read'),
  createEventType: bodyOfApplication('write', () => ({ name: 'made.by.stranger' })),
  getEventType: ofApplication('read'),
  deactivateEventType: ofApplication('write'),
  listEventTypeSchemas: ofApplication('read'),
  addEventTypeSchema: bodyOfApplication('write', () => ({ schema: {} })),
  getEventTypeSchema: ofApplication('read'),
  checkEventTypeSchema: ofApplication('read'),
  activateEventTypeSchema: ofApplication('write'),
  deactivateEventTypeSchema: ofApplication('write'),

  listSubscriptions: ofApplication('read'),
  createSubscription: bodyOfApplication('write', settings),
  getSubscription: ofApplication('read'),
  replaceSubscription: bodyOfApplication('write', settings),
  setSubscriptionEnabled: plain('write', () => ({ is_enabled: false })),
  deleteSubscription: ofApplication('write'),
  sendTestEvent: plain('write', () => ({})),
  rotateSubscriptionSecret: plain('write', () => ({})),

  listDeliveries: {
    kind: 'read',
    query: (ids) => ({ ...inApplication(ids), subscription_id: ids.subscriptionId, event_id: ids.eventId }),
  },
  getDelivery: plain('read'),
  retryDelivery: plain('write'),
  cancelDelivery: plain('write'),
  replayDelivery: plain('write'),
  listDeadLetters: {
    kind: 'read',
    query: (ids) => ({ ...inApplication(ids), subscription_id: ids.subscriptionId }),
  },
  replayDeadLetters: bodyOfApplication('write', ({ subscriptionId }) => ({
    filter: { subscription_id: subscriptionId },
  })),
  listRequestAttempts: {
    kind: 'read',
    query: (ids) => ({ ...inApplication(ids), subscription_id: ids.subscriptionId, event_id: ids.eventId }),
  },
  getRequestAttempt: ofApplication('read'),
  getResponse: ofApplication('read'),
  getCounts: ofApplication('read'),
  getTraffic: {
    kind: 'read',
    query: (ids) => ({ ...inApplication(ids), subscription_id: ids.subscriptionId }),
  },

  listOrganizationHistory: plain('read'),
  listApplicationSecretHistory: plain('guarded'),
  listApplicationHistory: plain('read'),
  listSubscriptionHistory: plain('read'),
  listDeliveryHistory: plain('read'),
  listEventHistory: ofApplication('read'),
  listEventTypeHistory: ofApplication('read'),
  getEventCausation: ofApplication('read'),
  listEventRouting: ofApplication('read'),
  listAudit: plain('read'),

  listApplications: { kind: 'read', query: inOrganization },
  createApplication: plain('write', (ids) => ({ ...inOrganization(ids), name: 'made by stranger' })),
  getApplication: plain('read'),
  editApplication: plain('write', () => ({ name: 'renamed by stranger' })),
  deleteApplication: plain('write'),
  listApplicationSecrets: ofApplication('guarded'),
  createApplicationSecret: bodyOfApplication('write', () => ({ name: 'made by stranger' })),
  editApplicationSecret: bodyOfApplication('write', () => ({ name: 'renamed by stranger' })),
  deleteApplicationSecret: ofApplication('write'),

  listOrganizations: plain('list'),
  createOrganization: plain('self', () => ({ name: 'one too many' })),
  getOrganization: plain('read'),
  editOrganization: plain('write', () => ({ name: 'renamed by stranger' })),
  deleteOrganization: plain('write'),
  listMembers: plain('read'),
  listInvitations: plain('guarded'),
  inviteMember: plain('write', () => ({ email: STRANGER, role: 'viewer' })),
  changeMemberRole: plain('write', ({ userId }) => ({ user_id: userId, role: 'viewer' })),
  removeMember: plain('write', ({ userId }) => ({ user_id: userId })),
  revokeInvitation: plain('write'),

  listServiceTokens: { kind: 'guarded', query: inOrganization },
  createServiceToken: plain('write', (ids) => ({ ...inOrganization(ids), name: 'made by stranger' })),
  getServiceToken: { kind: 'guarded', query: inOrganization },
  editServiceToken: plain('write', (ids) => ({ ...inOrganization(ids), name: 'renamed by stranger' })),
  revokeServiceToken: { kind: 'write', query: inOrganization },
  revokeServiceTokenBlock: plain('write', () => ({ revocation_id: '00'.repeat(64) })),
  attenuateServiceToken: plain('guarded', ({ applicationId }) => ({ application_id: applicationId })),
  inspectToken: plain('list', () => ({ biscuit: 'none' })),
  checkToken: plain('guarded', (ids) => ({
    ...inOrganization(ids),
    ...inApplication(ids),
    biscuit: 'none',
    action: 'event:list',
  })),

  getMe: plain('list'),
  logout: plain('self'),
  confirmPassword: plain('self', () => ({ password: PASSWORD })),
  changePassword: plain('self', () => ({ new_password: PASSWORD, current_password: PASSWORD })),
  listSessions: plain('list'),
  endSession: plain('self'),
  eraseAccount: plain('self'),

  listPlans: plain('master'),
  definePlan: plain('master', () => ({ label: 'Made by a stranger', limits: {} })),
  removePlan: plain('master'),
  getOrganizationQuotas: plain('read'),
  setOrganizationQuotas: plain('master', () => ({ limits: { members: 1 } })),
  getApplicationQuotas: plain('read'),
  setApplicationQuotas: plain('master', () => ({ limits: { events_per_day: 1 } })),
};

const IN_PATH: Readonly<Record<string, (ids: Ids) => string>> = {
  organization_id: ({ organizationId }) => organizationId,
  application_id: ({ applicationId }) => applicationId,
  subscription_id: ({ subscriptionId }) => subscriptionId,
  event_id: ({ eventId }) => eventId,
  delivery_id: ({ deliveryId }) => deliveryId,
  request_attempt_id: ({ requestAttemptId }) => requestAttemptId,
  response_id: ({ requestAttemptId }) => requestAttemptId,
  invitation_id: ({ invitationId }) => invitationId,
  token_id: ({ serviceTokenId }) => serviceTokenId,
  token: ({ secretId }) => secretId,
  secret_id: ({ secretId }) => secretId,
  session_id: ({ sessionId }) => sessionId,
  name: ({ eventType }) => eventType,
  version: () => '1',
};

export type Described = { readonly id: string; readonly method: string; readonly path: string };

/** All operations of an OpenAPI document. */
export const operationsOf = (document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
}): Described[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({
      id: operationId,
      method: method.toUpperCase(),
      path,
    })),
  );

export type Request = { readonly path: string; readonly method: string; readonly body?: unknown };

/** The request for an operation, as the test service's `call` takes it. */
export const requestFor = ({ method, path }: Described, { query, body }: Operation, ids: Ids): Request => {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = path.includes('/plans/') ? 'stranger' : IN_PATH[name]?.(ids);
    if (value === undefined) throw new Error(`${path} has {${name}} in its path, which has to be added to IN_PATH.`);
    return encodeURIComponent(value);
  });
  const search = query ? `?${new URLSearchParams(query(ids))}` : '';
  const json = body?.(ids);
  return { path: `/${filled}${search}`, method, ...(json === undefined ? {} : { body: json }) };
};
