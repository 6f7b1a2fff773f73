import { describe, expect, it } from 'vitest';
import { describeHistory } from '#src/history/describe.ts';
import {
  applicationCreated,
  applicationDeleted,
  applicationRenamed,
  applicationSecretCreated,
  applicationSecretDeleted,
  applicationSecretRenamed,
  attemptFailed,
  attemptRescheduled,
  attemptScheduled,
  attemptSucceeded,
  deliveryCancelled,
  deliveryDeadLettered,
  eventIngested,
  eventReplayed,
  eventTypeCreated,
  eventTypeDeactivated,
  eventTypeReactivated,
  eventTypeSchemaActivated,
  eventTypeSchemaAdded,
  eventTypeSchemaDeactivated,
  type Fact,
  later,
  organizationCreated,
  organizationDeleted,
  organizationRenamed,
  recorded,
  retentionApplied,
  settings,
  subscriptionCreated,
  subscriptionDeleted,
  subscriptionDisabled,
  subscriptionEnabled,
  subscriptionReplaced,
  subscriptionSecretRotated,
} from '#test/support/builders.ts';

const summaryOf = (...facts: Fact[]) => describeHistory(recorded(facts)).at(-1)?.summary;
const target = settings().target;
const replacedBy = (given: Parameters<typeof settings>[0]) =>
  summaryOf(subscriptionCreated(), subscriptionReplaced({ settings: settings(given) }));

describe('a summary', () => {
  it.each<[summary: string, ...Fact[]]>([
    ['Created as “Acme”', organizationCreated()],
    ['Renamed to “Acme Ltd”', organizationCreated(), organizationRenamed()],
    ['Deleted', organizationCreated(), organizationDeleted()],
    ['Created as “Shop”', applicationCreated()],
    ['Renamed to “Web shop”', applicationCreated(), applicationRenamed()],
    ['Deleted', applicationCreated(), applicationDeleted()],
    ['API secret “CI” created', applicationCreated(), applicationSecretCreated()],
    ['API secret created', applicationCreated(), applicationSecretCreated({ name: null })],
    ['API secret lost its name', applicationCreated(), applicationSecretCreated(), applicationSecretRenamed()],
    ['API secret renamed to “X”', applicationCreated(), applicationSecretRenamed({ name: 'X' })],
    ['API secret “CI” revoked', applicationCreated(), applicationSecretCreated(), applicationSecretDeleted()],
    ['Event type user.account.created created', eventTypeCreated()],
    ['Event type user.account.created deactivated', eventTypeCreated(), eventTypeDeactivated()],
    ['Event type user.account.created brought back', eventTypeCreated(), eventTypeReactivated()],
    ['Schema version 1 added to user.account.created', eventTypeCreated(), eventTypeSchemaAdded()],
    [
      'Schema version 1 enforced for user.account.created',
      eventTypeCreated(),
      eventTypeSchemaAdded(),
      eventTypeSchemaActivated(),
    ],
    ['Schema no longer enforced for user.account.created', eventTypeCreated(), eventTypeSchemaDeactivated()],
    ['Subscription to https://example.org/hook created', subscriptionCreated()],
    ['Description removed', subscriptionCreated(), subscriptionReplaced()],
    ['Subscription enabled', subscriptionCreated(), subscriptionEnabled()],
    ['Subscription disabled on request', subscriptionCreated(), subscriptionDisabled()],
    [
      'Subscription disabled: the receiver answered 410',
      subscriptionCreated(),
      subscriptionDisabled({ reason: 'gone' }),
    ],
    [
      `Secret rotated; the old one signs until ${later(86_400_000)}`,
      subscriptionCreated(),
      subscriptionSecretRotated(),
    ],
    ['Subscription deleted', subscriptionCreated(), subscriptionDeleted()],
    ['Event user.account.created ingested, matched 1 subscription', eventIngested()],
    ['Replayed to 2 subscriptions', eventIngested(), eventReplayed({ deliveries: 2 })],
    ['Attempt 1 scheduled', attemptScheduled()],
    [`Attempt 2 scheduled for ${later(7)}`, attemptScheduled({ attemptNumber: 2, trigger: 'retry', dueAt: later(7) })],
    ['Attempt 3 scheduled by a replay', attemptScheduled({ attemptNumber: 3, trigger: 'replay' })],
    ['Attempt 1 made due at once', attemptScheduled(), attemptRescheduled()],
    ['Attempt 1 succeeded: 200', attemptScheduled(), attemptSucceeded()],
    ['Attempt 2 failed: 503', attemptScheduled(), attemptFailed({ attemptNumber: 2, httpStatus: 503 })],
    [
      'Attempt 1 failed: connection reset',
      attemptScheduled(),
      attemptFailed({ reason: 'connection_reset', httpStatus: null }),
    ],
    ['Given up after 1 attempt: retries exhausted', attemptScheduled(), deliveryDeadLettered()],
    ['Cancelled: somebody asked for it', attemptScheduled(), deliveryCancelled()],
    [
      'Cancelled: its subscription was deleted',
      attemptScheduled(),
      deliveryCancelled({ reason: 'subscription_deleted' }),
    ],
    ['Retention dropped 2 days; gone are 7 payload, 9 response', retentionApplied()],
  ])('says “%s”', (summary, ...facts) => expect(summaryOf(...facts)).toBe(summary));

  it('says everything that a replacement changed', () => {
    expect(replacedBy({ target: { ...target, url: 'https://example.net/' } })).toBe(
      'Target changed to https://example.net/',
    );
    expect(
      replacedBy({
        eventTypes: ['a.b', 'c.*'],
        labels: { shop: 'x' },
        target: { ...target, method: 'PUT', headerNames: ['x-a', 'x-b'], sealedHeadersId: 'sealed' },
        description: 'new',
        metadata: { a: 'b' },
        retrySchedule: '1s',
        concurrencyMax: 2,
        signEd25519: true,
      }),
    ).toBe(
      'Method changed to PUT; headers changed; event types changed to a.b, c.*; labels changed; description changed to “new”; metadata changed; retry schedule changed to 1s; concurrency changed to 2; Ed25519 signatures turned on',
    );
  });

  it('stays short, whatever people write', () => {
    const url = `https://example.net/${'a'.repeat(5_000)}`;
    expect(replacedBy({ target: { ...target, url } })?.length).toBeLessThan(250);
  });

  it('of what a newer release wrote is its name', () => {
    const [stored] = recorded([organizationCreated()]);
    if (!stored) throw new Error('Nothing was recorded.');
    expect(describeHistory([{ ...stored, type: 'OrganizationMoved' }])[0]?.summary).toBe('OrganizationMoved');
  });
});
