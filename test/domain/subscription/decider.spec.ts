import { describe, it } from 'vitest';
import { subscriptionDecider } from '#src/domain/subscription/decider.ts';
import type { SubscriptionCommand, SubscriptionEvent, SubscriptionSettings } from '#src/domain/subscription/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(subscriptionDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const metadata = { now };
const at = now.toISOString();
const ids = { subscriptionId: 'subscription', applicationId: 'application', organizationId: 'organization' };
const settings: SubscriptionSettings = {
  isEnabled: true,
  eventTypes: ['user.account.created', 'order.**'],
  description: null,
  labels: { tenant: 'a', region: 'eu' },
  metadata: {},
  target: {
    type: 'http',
    method: 'POST',
    url: 'https://example.com/',
    headerNames: ['x-a'],
    sealedHeadersId: 'sealed',
  },
  retrySchedule: null,
  concurrencyMax: null,
  signEd25519: false,
  dedicatedWorkers: [],
};
const reordered = { ...settings, labels: { region: 'eu', tenant: 'a' } };
const described = { ...settings, description: 'Orders' };
const switchedOff = { ...described, isEnabled: false };

const create = (overrides: object = {}): SubscriptionCommand => ({
  type: 'CreateSubscription',
  data: { ...ids, settings, secretId: 'secret-1', ...overrides },
  metadata,
});
const replace = (by: SubscriptionSettings, overrides: object = {}): SubscriptionCommand => ({
  type: 'ReplaceSubscription',
  data: { ...ids, settings: by, ...overrides },
  metadata,
});
const disable: SubscriptionCommand = { type: 'DisableSubscription', data: { ...ids, reason: 'gone' }, metadata };
const enable: SubscriptionCommand = { type: 'EnableSubscription', data: ids, metadata };
const remove: SubscriptionCommand = { type: 'DeleteSubscription', data: ids, metadata };
const rotate = (secretId: string): SubscriptionCommand => ({
  type: 'RotateSubscriptionSecret',
  data: { ...ids, secretId, overlapSeconds: 3600 },
  metadata,
});

const created: SubscriptionEvent = {
  type: 'SubscriptionCreated',
  data: { ...ids, settings, secretId: 'secret-1', createdAt: at },
};
const replacedBy = (by: SubscriptionSettings): SubscriptionEvent => ({
  type: 'SubscriptionReplaced',
  data: { ...ids, settings: by, replacedAt: at },
});
const disabled = (reason: 'gone' | 'request'): SubscriptionEvent => ({
  type: 'SubscriptionDisabled',
  data: { ...ids, reason, disabledAt: at },
});
const enabled: SubscriptionEvent = { type: 'SubscriptionEnabled', data: { ...ids, enabledAt: at } };
const deleted: SubscriptionEvent = { type: 'SubscriptionDeleted', data: { ...ids, deletedAt: at } };
const rotated = (from: string, to: string): SubscriptionEvent => ({
  type: 'SubscriptionSecretRotated',
  data: {
    ...ids,
    secretId: to,
    previousSecretId: from,
    previousValidUntil: '2026-03-01T11:00:00.000Z',
    rotatedAt: at,
  },
});

describe('creating a subscription', () => {
  it('records it', () => given().when(create()).then(created));
  it('stays quiet when repeated', () => given(created).when(create()).then());
  it('stays quiet when the repeat brings a fresh secret', () =>
    given(created)
      .when(create({ secretId: 'secret-2' }))
      .then());
  it('is refused with other settings', () =>
    given(created)
      .when(create({ settings: described }))
      .thenThrows('NotFound'));
  it('is refused in another application', () =>
    given(created)
      .when(create({ applicationId: 'other' }))
      .thenThrows('NotFound'));
  it('is refused under a deleted id', () => given(created, deleted).when(create()).thenThrows('NotFound'));
});

describe('replacing a subscription', () => {
  it('records all settings', () => given(created).when(replace(described)).then(replacedBy(described)));
  it('tells a change of isEnabled apart', () =>
    given(created).when(replace(switchedOff)).then(replacedBy(switchedOff), disabled('request')));
  it('tells that it is enabled again', () =>
    given(created, replacedBy(switchedOff), disabled('request'))
      .when(replace(settings))
      .then(replacedBy(settings), enabled));
  it('enables again what Posthorn disabled', () =>
    given(created, disabled('gone')).when(replace(settings)).then(replacedBy(settings), enabled));
  it('stays quiet with equal settings', () => given(created).when(replace(reordered)).then());
  it('stays quiet when repeated', () => given(created, replacedBy(described)).when(replace(described)).then());
  it('is refused when unknown', () => given().when(replace(described)).thenThrows('NotFound'));
  it('is refused when deleted', () => given(created, deleted).when(replace(described)).thenThrows('NotFound'));
  it('is refused to another application', () =>
    given(created)
      .when(replace(described, { applicationId: 'other' }))
      .thenThrows('NotFound'));
  it('is refused to another organization', () =>
    given(created)
      .when(replace(described, { organizationId: 'other' }))
      .thenThrows('NotFound'));
});

describe('disabling and enabling a subscription', () => {
  it('records why it is disabled', () => given(created).when(disable).then(disabled('gone')));
  it('stays quiet when disabled', () => given(created, disabled('request')).when(disable).then());
  it('records that it is enabled', () => given(created, disabled('gone')).when(enable).then(enabled));
  it('stays quiet when enabled', () => given(created).when(enable).then());
  it.each([disable, enable])('is refused when unknown: $type', (command) =>
    given().when(command).thenThrows('NotFound'),
  );
  it.each([disable, enable])('is refused when deleted: $type', (command) =>
    given(created, deleted).when(command).thenThrows('NotFound'),
  );
});

describe("rotating a subscription's secret", () => {
  it('keeps the old one for the overlap', () =>
    given(created).when(rotate('secret-2')).then(rotated('secret-1', 'secret-2')));
  it('does so again', () =>
    given(created, rotated('secret-1', 'secret-2')).when(rotate('secret-3')).then(rotated('secret-2', 'secret-3')));
  it('stays quiet when repeated', () =>
    given(created, rotated('secret-1', 'secret-2')).when(rotate('secret-2')).then());
  it('is refused when unknown', () => given().when(rotate('secret-2')).thenThrows('NotFound'));
  it('is refused when deleted', () => given(created, deleted).when(rotate('secret-2')).thenThrows('NotFound'));
});

describe('deleting a subscription', () => {
  it('records it', () => given(created).when(remove).then(deleted));
  it('stays quiet when repeated', () => given(created, deleted).when(remove).then());
  it('is refused when unknown', () => given().when(remove).thenThrows('NotFound'));
});
