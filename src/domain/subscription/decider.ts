import type { Decider } from '@event-driven-io/emmett';
import { idTaken, notFound } from '../refusals.ts';
import { sameJson } from '../same-json.ts';
import type { SubscriptionCommand, SubscriptionEvent, SubscriptionSettings } from './events.ts';

type Ids = { readonly subscriptionId: string; readonly applicationId: string; readonly organizationId: string };
type Live = {
  readonly status: 'live';
  readonly ids: Ids;
  readonly settings: SubscriptionSettings;
  readonly secretId: string;
  /** Signs beside `secretId` until then; null before the first rotation. */
  readonly previousSecret: { readonly secretId: string; readonly validUntil: string } | null;
};

export type Subscription = { readonly status: 'unknown' } | Live | { readonly status: 'deleted'; readonly ids: Ids };

const decide = (command: SubscriptionCommand, state: Subscription): SubscriptionEvent[] => {
  const { data, metadata } = command;
  if (command.type === 'CreateSubscription') return create(command, state);
  if (state.status === 'unknown' || !owns(state.ids, data)) throw notFound('subscription', data.subscriptionId);
  const { ids } = state;
  const at = metadata.now.toISOString();
  if (state.status === 'deleted') {
    if (command.type === 'DeleteSubscription') return []; // A client retrying after a timeout.
    throw notFound('subscription', data.subscriptionId);
  }
  const { settings, secretId } = state;
  switch (command.type) {
    case 'ReplaceSubscription':
      if (sameJson(settings, command.data.settings)) return [];
      return [
        { type: 'SubscriptionReplaced', data: { ...ids, settings: command.data.settings, replacedAt: at } },
        ...switched(ids, settings.isEnabled, command.data.settings.isEnabled, at),
      ];
    case 'DisableSubscription':
      if (!settings.isEnabled) return [];
      return [{ type: 'SubscriptionDisabled', data: { ...ids, reason: command.data.reason, disabledAt: at } }];
    case 'EnableSubscription':
      return switched(ids, settings.isEnabled, true, at);
    case 'RotateSubscriptionSecret': {
      if (secretId === command.data.secretId) return [];
      const previousValidUntil = new Date(metadata.now.getTime() + command.data.overlapSeconds * 1000).toISOString();
      const rotated = { ...ids, secretId: command.data.secretId, previousSecretId: secretId, previousValidUntil };
      return [{ type: 'SubscriptionSecretRotated', data: { ...rotated, rotatedAt: at } }];
    }
    case 'DeleteSubscription':
      return [{ type: 'SubscriptionDeleted', data: { ...ids, deletedAt: at } }];
  }
};

/** The secret is not compared: a repeat may have made a fresh one, and the first one stays. */
const create = (
  { data, metadata }: Extract<SubscriptionCommand, { type: 'CreateSubscription' }>,
  state: Subscription,
): SubscriptionEvent[] => {
  if (state.status === 'unknown')
    return [{ type: 'SubscriptionCreated', data: { ...data, createdAt: metadata.now.toISOString() } }];
  if (state.status === 'live' && owns(state.ids, data) && sameJson(state.settings, data.settings)) return [];
  throw idTaken('subscription', data.subscriptionId);
};

const switched = (ids: Ids, was: boolean, is: boolean, at: string): SubscriptionEvent[] => {
  if (was === is) return [];
  return is
    ? [{ type: 'SubscriptionEnabled', data: { ...ids, enabledAt: at } }]
    : [{ type: 'SubscriptionDisabled', data: { ...ids, reason: 'request', disabledAt: at } }];
};

/** Another tenant's id is answered like an unknown one. */
const owns = (ids: Ids, { applicationId, organizationId }: Ids): boolean =>
  ids.applicationId === applicationId && ids.organizationId === organizationId;

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Subscription, event: SubscriptionEvent): Subscription => {
  switch (event.type) {
    case 'SubscriptionCreated': {
      const { settings, secretId } = event.data;
      return { status: 'live', ids: idsOf(event.data), settings, secretId, previousSecret: null };
    }
    case 'SubscriptionReplaced':
      return state.status === 'live' ? { ...state, settings: event.data.settings } : state;
    case 'SubscriptionEnabled':
      return withEnabled(state, true);
    case 'SubscriptionDisabled':
      return withEnabled(state, false);
    case 'SubscriptionSecretRotated': {
      const { secretId, previousSecretId, previousValidUntil } = event.data;
      const previousSecret = { secretId: previousSecretId, validUntil: previousValidUntil };
      return state.status === 'live' ? { ...state, secretId, previousSecret } : state;
    }
    case 'SubscriptionDeleted':
      return { status: 'deleted', ids: idsOf(event.data) };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

const withEnabled = (state: Subscription, isEnabled: boolean): Subscription =>
  state.status === 'live' ? { ...state, settings: { ...state.settings, isEnabled } } : state;

const idsOf = ({ subscriptionId, applicationId, organizationId }: Ids): Ids => ({
  subscriptionId,
  applicationId,
  organizationId,
});

export const subscriptionDecider: Decider<Subscription, SubscriptionCommand, SubscriptionEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
