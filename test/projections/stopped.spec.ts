import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from '#src/cli/run.ts';
import { listProjections } from '#src/projections/maintenance.ts';
import { addressOf, eventIngested, metadata } from '#test/support/builders.ts';
import { eventually } from '#test/support/eventually.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

const keys = {
  POSTHORN_BISCUIT_PRIVATE_KEYS: `one:${randomBytes(32).toString('hex')}`,
  POSTHORN_ENCRYPTION_KEYS: `one:${randomBytes(32).toString('base64')}`,
};
let service: TestService;
beforeAll(async () => {
  service = await startTestService(keys);
});
afterAll(() => service.stop());

const list = async (): Promise<{ code: number; out: string }> => {
  const out: string[] = [];
  const code = await runCommand(['projections', 'list'], {
    env: { ...keys, DATABASE_URL: service.databaseUrl, POSTHORN_MASTER_KEY: service.masterKey },
    version: '1.2.3',
    out: (text) => out.push(text),
    err: () => undefined,
    isTerminal: false,
  });
  return { code, out: out.join('\n') };
};

it('a projector that has stopped is seen everywhere, and the others and ingest go on', async () => {
  const { applicationId } = await service.tenant('order.paid');
  expect(await service.get('//readyz')).toMatchObject({ status: 200 });
  const { core } = service.service.node;
  const head = (await core.reader.heads()).find(({ configurationPosition }) => configurationPosition > 0);
  const partition = head?.partition ?? 0;
  const poison = eventIngested({ eventId: 'poison' });
  const { streamId } = addressOf(poison);
  const appended = await core.log.append({
    streams: [{ streamId, partition, expectedVersion: 'new', events: [poison] }],
    metadata,
  });
  if (appended.kind !== 'appended') throw new Error('The append was refused.');
  const where = `EventIngested at position ${appended.events[0]?.position} of log partition ${partition} cannot be applied`;

  await eventually(async () => expect((await list()).out).toContain(where));
  const { code, out } = await list();
  expect(code).toBe(1);
  expect(out).toMatch(/^event +\d+ +async +\d+ +STOPPED$/m);
  expect(out).toMatch(/^delivery +\d+ +async +\d+ +ok$/m);
  expect(service.errors.filter((line) => line.includes(where))).toHaveLength(1);
  const { text: metrics } = await service.get('//metrics');
  expect(metrics).toContain('posthorn_projection_parked{projection="event"} 1');
  expect(metrics).toContain('posthorn_projection_parked{projection="delivery"} 0');
  const ready = await service.get('//readyz');
  expect(ready.status).toBe(503);
  expect(ready.text).toContain(where);

  const ingested = await service.post('/event', {
    application_id: applicationId,
    event_type: 'order.paid',
    payload: { order: 1 },
  });
  expect(ingested.status).toBe(201);
  await eventually(async () => {
    const behind = (await listProjections(core.queryPool)).filter(({ lag }) => lag > 0).map(({ name }) => name);
    expect(behind.filter((name) => name !== 'event')).toStrictEqual([]);
  });
});
