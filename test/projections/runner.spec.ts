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
import { eventually } from '../support/eventually.ts';
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
  eventually(async () => expect(await lags()).toStrictEqual([]), { timeout: 10_000, interval: 20 });
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
    await eventually(() => expect(errors).toHaveLength(1), { timeout: 10_000, interval: 20 });
    await eventually(async () => expect(await lags()).toStrictEqual([2]), { timeout: 10_000, interval: 20 });

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

describe('a projection whose database is away for a moment', () => {
  /** Lets a reading of the log fail, some times over. */
  const failReading = (times: number) => {
    const reading = vi.spyOn(log.reader, 'readPartition');
    for (let time = 0; time < times; time += 1) reading.mockRejectedValueOnce(new Error('away'));
    return reading;
  };
  afterEach(() => vi.restoreAllMocks());

  it('catches up without a further append', async () => {
    await log.append(...deliveredEvent('one'));
    failReading(3);
    const { errors, runners } = await start();
    await caughtUp();
    expect(errors.length).toBeGreaterThan(0);
    for (const table of ['event', 'delivery', 'request_attempt']) expect(await count(table)).toBe(1);
    expect(runners.flatMap((runner) => [...runner.parked()])).toEqual([]);
  });

  it('applies once what it had read when no connection was to be had', async () => {
    const { errors, runners } = await start();
    const { connect } = log.pool;
    let refusals = 0;
    // Only for the projections: the append has its connection by then.
    await log.append(...deliveredEvent('one'));
    vi.spyOn(log.pool, 'connect').mockImplementation(((...args: unknown[]) => {
      if (args.length > 0 || refusals >= 3) return Reflect.apply(connect, log.pool, args);
      refusals += 1;
      return Promise.reject(new Error('no connection'));
    }) as never);
    await caughtUp();
    expect(refusals).toBe(3);
    expect(errors).toHaveLength(3);
    for (const table of ['event', 'delivery', 'request_attempt']) expect(await count(table)).toBe(1);
    expect(runners.flatMap((runner) => [...runner.parked()])).toEqual([]);
  });

  it('begins with a log partition as soon as it can be asked where it stands', async () => {
    await log.append(...deliveredEvent('one'));
    const asking = vi.spyOn(log.pool, 'query');
    asking.mockRejectedValueOnce(new Error('away') as never);
    const { errors } = await start();
    await caughtUp();
    expect(errors).toStrictEqual([expect.objectContaining({ message: 'away' })]);
    for (const table of ['event', 'delivery', 'request_attempt']) expect(await count(table)).toBe(1);
  });

  it('leaves alone what it was told to leave while it could not begin with it', async () => {
    const { runners } = await start();
    const [runner] = runners;
    runner?.leave(0);
    vi.spyOn(log.pool, 'query').mockRejectedValueOnce(new Error('away') as never);
    const taking = runner?.take(0);
    runner?.leave(0);
    await taking;
    runner?.notice([{ partition: 0, position: 99, configurationPosition: 0 }]);
    expect(runner?.lag()).toBe(0);
  });
});
