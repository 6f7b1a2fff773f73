import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { deliveryId, uuidv7 } from '../../src/domain/event/ids.ts';
import { createGroupCommit } from '../../src/eventstore/group-commit.ts';
import { partitionOf } from '../../src/eventstore/partition.ts';
import type { NewDomainEvent, StreamAppend } from '../../src/eventstore/types.ts';
import { projectConfiguration } from '../../src/projections/configuration/projections.ts';

export type HistoryTenant = {
  readonly organizationId: string;
  readonly applicationId: string;
  readonly partition: number;
  readonly subscriptionIds: readonly string[];
};

const SUBSCRIPTIONS = 20;
const AT_ONCE = 400;
/** Of each hundred deliveries: fail once and succeed later, become dead letters, and wait for a retry until the end. */
const [RETRIED, DEAD, WAITING] = [10, 3, 2];
/** Deliveries that are still to end later: as many as receivers that are slow or down keep under way. */
const LATER_MAX = 5_000;

const metadata = { actor: 'master', causationId: 'bench', correlationId: 'bench' };
const event = (type: string, data: Record<string, unknown>): NewDomainEvent => ({ type, data });
const isoIn = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** Appends the history of one application: events with one delivery each, most of them delivered at once. */
export const writeHistory = async (
  pool: Pool,
  { events, partitions }: { readonly events: number; readonly partitions: number },
): Promise<HistoryTenant> => {
  const log = createGroupCommit({ pool });
  const [organizationId, applicationId] = [randomUUID(), randomUUID()];
  const partition = partitionOf(applicationId, partitions);
  const ids = { applicationId, organizationId };
  let written = 0;
  const append = async (streams: readonly StreamAppend[], isConfiguration = false): Promise<void> => {
    const along = isConfiguration ? { movesConfiguration: true, project: projectConfiguration } : {};
    const result = await log.append({ streams, metadata, ...along });
    if (result.kind !== 'appended') throw new Error(`The append was refused: ${result.kind}.`);
    written += result.events.length;
  };
  const configure = (streamId: string, given: NewDomainEvent, version: number | 'new' = 'new'): Promise<void> =>
    append([{ streamId, partition, expectedVersion: version, events: [given] }], true);
  const settingsOf = (description: string) => ({
    isEnabled: true,
    eventTypes: ['order.paid'],
    description,
    labels: {},
    metadata: {},
    target: { type: 'http', method: 'POST', url: 'https://example.org/', headerNames: [], sealedHeadersId: null },
    retrySchedule: null,
    concurrencyMax: null,
    signEd25519: false,
    dedicatedWorkers: [],
  });
  await configure(
    `application:${applicationId}`,
    event('ApplicationCreated', { ...ids, name: 'Bench', createdAt: isoIn(0) }),
  );
  await configure(
    `event_type:${applicationId}:order.paid`,
    event('EventTypeCreated', { ...ids, name: 'order.paid', createdAt: isoIn(0) }),
  );
  const subscriptionIds = Array.from({ length: SUBSCRIPTIONS }, () => uuidv7(Date.now()));
  for (const subscriptionId of subscriptionIds)
    await configure(
      `subscription:${subscriptionId}`,
      event('SubscriptionCreated', {
        ...ids,
        subscriptionId,
        settings: settingsOf('bench'),
        secretId: randomUUID(),
        createdAt: isoIn(0),
      }),
    );

  const later: (() => Promise<void>)[] = [];
  const deliver = async (number: number): Promise<void> => {
    const eventId = uuidv7(Date.now());
    const subscriptionId = subscriptionIds[number % SUBSCRIPTIONS] ?? '';
    const receivedAt = isoIn(0);
    const delivery = {
      ...ids,
      eventId,
      subscriptionId,
      deliveryId: deliveryId({ applicationId, eventId, subscriptionId, receivedAt }),
    };
    const streamId = `delivery:${delivery.deliveryId}`;
    const own = partitionOf(subscriptionId, partitions);
    const attempt = (attemptNumber: number) => ({ ...delivery, attemptId: uuidv7(Date.now()), attemptNumber });
    const scheduled = (of: ReturnType<typeof attempt>, dueInMs: number, trigger: string) =>
      event('AttemptScheduled', {
        ...of,
        eventType: 'order.paid',
        retryCount: of.attemptNumber - 1,
        scheduledAt: isoIn(0),
        dueAt: isoIn(dueInMs),
        trigger,
      });
    const result = (httpStatus: number) => ({
      startedAt: isoIn(0),
      finishedAt: isoIn(0),
      httpStatus,
      response: null,
      timings: { dnsMs: null, connectMs: 1, tlsMs: null, firstByteMs: 2, bodyMs: 0, totalMs: 3 },
    });
    const [first, second] = [attempt(1), attempt(2)];
    await append([
      {
        streamId: `event:${applicationId}:${eventId}`,
        partition,
        expectedVersion: 'new',
        events: [
          event('EventIngested', {
            ...ids,
            eventId,
            eventType: 'order.paid',
            payloadContentType: 'application/json',
            payloadSha256: '00'.repeat(32),
            payloadBytes: 2,
            labels: { all: 'yes' },
            metadata: {},
            occurredAt: null,
            receivedAt,
            ip: null,
            configurationPosition: 0,
            deliveries: 1,
          }),
        ],
      },
      { streamId, partition: own, expectedVersion: 'new', events: [scheduled(first, 0, 'ingest')] },
    ]);
    const end = (version: number, ...ended: NewDomainEvent[]): Promise<void> =>
      append([{ streamId, partition: own, expectedVersion: version, events: ended }]);
    const kind = number % 100;
    const failed = event('AttemptFailed', { ...first, ...result(500), reason: 'status', message: null });
    if (kind < DEAD)
      await end(
        1,
        failed,
        event('DeliveryDeadLettered', { ...delivery, reason: 'gone', attempts: 1, deadLetteredAt: isoIn(0) }),
      );
    else if (kind < DEAD + RETRIED) {
      await end(1, failed, scheduled(second, 60_000, 'retry'));
      later.push(() => end(3, event('AttemptSucceeded', { ...second, ...result(200) })));
    } else if (kind < DEAD + RETRIED + WAITING) await end(1, failed, scheduled(second, 36_000_000, 'retry'));
    else await end(1, event('AttemptSucceeded', { ...first, ...result(200) }));
  };
  for (let number = 0; written < events; number += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => deliver(number + index)));
    if (later.length > LATER_MAX) await Promise.all(later.splice(0, AT_ONCE).map((work) => work()));
  }
  await log.drained();
  return { organizationId, applicationId, partition, subscriptionIds };
};
