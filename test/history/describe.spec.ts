import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeHistory } from '#src/history/describe.ts';
import { diff, type JsonObject } from '#src/history/diff.ts';
import {
  applicationCreated,
  applicationSecretCreated,
  applicationSecretDeleted,
  attemptFailed,
  attemptScheduled,
  deliveryDeadLettered,
  eventIngested,
  eventReplayed,
  eventTypeCreated,
  eventTypeDeactivated,
  eventTypeSchemaActivated,
  eventTypeSchemaAdded,
  type Fact,
  organizationCreated,
  organizationRenamed,
  recorded,
  settings,
  subscriptionCreated,
  subscriptionDeleted,
  subscriptionDisabled,
  subscriptionReplaced,
  subscriptionSecretRotated,
  T0,
} from '#test/support/builders.ts';

/** What the last of some domain events of one stream changed. */
const lastOf = (...facts: Fact[]) => describeHistory(recorded(facts)).at(-1)?.changes;
const target = settings().target;

describe('the history of an object', () => {
  it('says who, when, from where and why', () => {
    const [stored] = recorded([organizationCreated()]);
    if (!stored) throw new Error('Nothing was recorded.');
    const metadata = { actor: 'master', causationId: 'request', correlationId: 'all', ip: '192.0.2.7' };
    expect(describeHistory([{ ...stored, metadata }])).toStrictEqual([
      {
        partition: stored.partition,
        position: 1,
        streamId: stored.streamId,
        version: 1,
        type: 'OrganizationCreated',
        summary: 'Created as “Acme”',
        at: new Date(T0),
        actor: 'master',
        causationId: 'request',
        correlationId: 'all',
        ip: '192.0.2.7',
        changes: [
          { path: '/name', before: null, after: 'Acme' },
          { path: '/status', before: null, after: 'active' },
        ],
      },
    ]);
  });

  it('tells what was replaced field by field', () => {
    const replaced = settings({
      description: 'other',
      labels: { 'a/b': '1' },
      target: { ...target, url: 'https://example.net/' },
    });
    expect(lastOf(subscriptionCreated(), subscriptionReplaced({ settings: replaced }))).toStrictEqual([
      { path: '/description', before: 'Orders to the warehouse', after: 'other' },
      { path: '/labels/a~1b', before: null, after: '1' },
      { path: '/target/url', before: 'https://example.org/hook', after: 'https://example.net/' },
    ]);
  });

  it.each<[string, Fact[], unknown]>([
    [
      'the schema that is enforced',
      [eventTypeCreated(), eventTypeSchemaAdded({ sha256: 'ab' }), eventTypeSchemaActivated()],
      [{ path: '/active_schema_version', before: null, after: 1 }],
    ],
    [
      'a new version of a schema',
      [eventTypeCreated(), eventTypeSchemaAdded({ sha256: 'ab' })],
      [{ path: '/schemas/1/sha256', before: null, after: 'ab' }],
    ],
    ['a name', [organizationCreated(), organizationRenamed()], [{ path: '/name', before: 'Acme', after: 'Acme Ltd' }]],
    [
      'a switch',
      [subscriptionCreated(), subscriptionDisabled({ reason: 'gone' })],
      [
        { path: '/disabled_reason', before: null, after: 'gone' },
        { path: '/is_enabled', before: true, after: false },
      ],
    ],
    [
      'an end',
      [subscriptionCreated(), subscriptionDeleted()],
      [{ path: '/status', before: 'active', after: 'deleted' }],
    ],
    [
      'an event type',
      [eventTypeCreated(), eventTypeDeactivated()],
      [{ path: '/status', before: 'active', after: 'deactivated' }],
    ],
    [
      'a replay',
      [eventIngested(), eventReplayed()],
      [
        { path: '/last_replay/deliveries', before: null, after: 1 },
        { path: '/replays', before: 0, after: 1 },
      ],
    ],
    [
      'a dead letter',
      [attemptScheduled(), attemptFailed(), deliveryDeadLettered()],
      [
        { path: '/due_at', before: T0, after: null },
        { path: '/reason', before: null, after: 'retries_exhausted' },
        { path: '/status', before: 'pending', after: 'dead_lettered' },
      ],
    ],
  ])('tells %s', (_, facts, changes) => expect(lastOf(...facts)).toStrictEqual(changes));

  it('shows no secret, nor where one is sealed', () => {
    const sealed = (id: string) => settings({ target: { ...target, headerNames: ['x-key'], sealedHeadersId: id } });
    const facts = [
      subscriptionCreated({ settings: sealed('sealed-1') }),
      subscriptionReplaced({ settings: sealed('sealed-2') }),
      subscriptionSecretRotated(),
    ];
    const entries = describeHistory(recorded(facts));
    expect(entries[1]?.changes).toStrictEqual([{ path: '/target/header_values_version', before: 1, after: 2 }]);
    expect(entries[2]?.changes[1]).toStrictEqual({ path: '/secret_version', before: 1, after: 2 });
    const application = [applicationCreated(), applicationSecretCreated(), applicationSecretDeleted()];
    const all = JSON.stringify([entries, describeHistory(recorded(application))]);
    const hidden = [...facts, ...application].flatMap(({ data }) => [
      'sealed-1',
      'sealed-2',
      ...('tokenSha256' in data ? [data.tokenSha256] : []),
      ...('previousSecretId' in data ? [data.secretId, data.previousSecretId] : []),
    ]);
    for (const secret of hidden) expect(all).not.toContain(secret);
  });
});

describe('a difference', () => {
  const json = fc.dictionary(
    fc.string({ maxLength: 3 }),
    fc.oneof(fc.integer(), fc.string(), fc.dictionary(fc.constantFrom('a', 'b/~'), fc.integer())),
  ) as fc.Arbitrary<JsonObject>;

  it('is nothing between equals, and turns around', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(diff(a, a)).toStrictEqual([]);
        const turned = diff(b, a).map(({ path, before, after }) => ({ path, before: after, after: before }));
        expect(diff(a, b)).toStrictEqual(turned);
      }),
    );
  });
});
