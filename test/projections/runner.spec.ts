import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listProjections } from '#src/projections/maintenance.ts';
import {
  applicationId,
  attemptScheduled,
  deliveredEvent,
  eventIngested,
  eventOf,
  openTestLog,
  organizationId,
  type TestLog,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { startRunners } from './support.ts';

let database: TestDatabase;
let log: TestLog;
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  database = await createTestDatabase();
  log = await openTestLog(database.url);
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await log.stop();
  await database.drop();
});

const start = async () => {
  const running = await startRunners(log);
  stops.push(running.stop);
  return running;
};
const status = async (name: string) => (await listProjections(log.pool)).find((projection) => projection.name === name);
const lags = async () => (await listProjections(log.pool)).map(({ lag }) => lag).filter((lag) => lag > 0);
const caughtUp = () =>
  vi.waitFor(async () => expect(await lags()).toStrictEqual([]), { timeout: 10_000, interval: 20 });
const count = async (table: string): Promise<number> =>
  (await log.pool.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0].n;

describe('a projection that follows the log', () => {
  it('applies what was there before it and what comes after', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => log.append(...deliveredEvent(`before ${index}`))));
    const { errors } = await start();
    await Promise.all(Array.from({ length: 20 }, (_, index) => log.append(...deliveredEvent(`after ${index}`))));
    await caughtUp();
    for (const table of ['event', 'delivery', 'request_attempt']) expect(await count(table)).toBe(40);
    expect(errors).toStrictEqual([]);
  });

  it('applies everything exactly once when two of them have the same log partitions', async () => {
    const [one, other] = [await start(), await start()];
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 10 }, (_, index) => log.append(...deliveredEvent(`${round} ${index}`))));
    await caughtUp();
    for (const table of ['event', 'delivery', 'request_attempt']) expect(await count(table)).toBe(100);
    expect([...one.errors, ...other.errors]).toStrictEqual([]);
  });

  it('stops alone at what it cannot apply, and names the position', async () => {
    const { runners, errors } = await start();
    await log.append(...deliveredEvent('good'));
    const [poison] = await log.append(eventIngested({ eventId: 'poison' }));
    await log.append(...deliveredEvent('later'));
    const elsewhere = eventOf('elsewhere');
    await log.append(
      eventIngested({ ...elsewhere.event, applicationId: organizationId }),
      attemptScheduled(elsewhere.attempt(1)),
    );
    await vi.waitFor(() => expect(errors).toHaveLength(1), { timeout: 10_000, interval: 20 });
    await vi.waitFor(async () => expect(await lags()).toStrictEqual([2]), { timeout: 10_000, interval: 20 });

    expect(await count('delivery')).toBe(3);
    const { rows } = await log.pool.query('SELECT application_id FROM event ORDER BY application_id');
    expect(rows.map((row) => row.application_id)).toStrictEqual([applicationId, organizationId].sort());
    const where = `EventIngested at position ${poison?.position} of log partition ${poison?.partition} cannot be applied`;
    expect(runners.flatMap((runner) => [...runner.parked().values()])).toStrictEqual([expect.stringContaining(where)]);
    expect(errors).toStrictEqual([expect.objectContaining({ message: expect.stringContaining(where) })]);
    const partition = (await status('event'))?.partitions.find((other) => other.partition === poison?.partition);
    expect(partition).toMatchObject({
      checkpoint: Number(poison?.position) - 1,
      lag: 2,
      error: expect.stringContaining(where),
    });
  });
});
