import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createVault } from '#src/vault/vault.ts';
import { createPayloadLoader } from '#src/worker/delivery/payloads.ts';
import { addPayload } from '#src/worklist/payload.ts';
import { event, METADATA, newStream, openTestLog, type TestLog } from '../../support/log.ts';
import { pendingDelivery } from './pending.ts';

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog(1);
});
afterAll(() => test.close());

const keys = [{ id: 'a', key: randomBytes(32) }];

/** A delivery of an organization of its own, whose payload is stored. */
const stored = async (text: string) => {
  const pending = pendingDelivery({ partition: 0, organizationId: randomUUID(), applicationId: randomUUID() });
  const seal = await createVault({ pool: test.pool, keys }).bodySealer(pending.organizationId);
  const streams = [
    { streamId: newStream(), partition: 0, expectedVersion: 'new' as const, events: [event('Ingested', {})] },
  ];
  const writes = [await addPayload(seal, pending, Buffer.from(text))];
  expect(await test.log.append({ streams, metadata: METADATA, writes })).toMatchObject({ kind: 'appended' });
  return pending;
};

it('whose data key cannot be had holds up nobody who asks at the same time', async () => {
  const [broken, sound] = [await stored('broken'), await stored('sound')];
  await test.owner.query(`UPDATE data_key SET wrapped = '\\x01' WHERE organization_id = $1`, [broken.organizationId]);
  const load = createPayloadLoader({ pool: test.pool, vault: createVault({ pool: test.pool, keys }), partitions: 1 });
  const [lost, found] = await Promise.allSettled([load(broken), load(sound)]);
  expect(lost.status).toBe('rejected');
  expect(found).toEqual({ status: 'fulfilled', value: Buffer.from('sound') });
});
