import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Pool } from 'pg';
import { arrayLiteral } from './statements.ts';

const RENEW = `
  UPDATE processor_lease SET until = clock_timestamp() + make_interval(secs => $3)
  WHERE processor = $1 AND owner = $2 AND until > clock_timestamp()
    AND (partition_no, epoch) IN (SELECT * FROM unnest($4::smallint[], $5::bigint[]))
  RETURNING partition_no, epoch::float8 AS epoch`;
const JOIN = `
  INSERT INTO processor_member (processor, owner, until) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
  ON CONFLICT (processor, owner) DO UPDATE SET until = EXCLUDED.until`;
const COUNT_MEMBERS = `
  SELECT count(*)::int AS members, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
  FROM processor_member WHERE processor = $1 AND until > clock_timestamp() + make_interval(secs => $2)`;
const FORGET_MEMBERS = `DELETE FROM processor_member WHERE processor = $1 AND until < clock_timestamp() - interval '1 minute'`;
const TAKE = `
  UPDATE processor_lease AS l
  SET owner = $2, epoch = l.epoch + 1, until = clock_timestamp() + make_interval(secs => $3)
  FROM (SELECT partition_no FROM processor_lease
        WHERE processor = $1 AND until <= clock_timestamp()
        ORDER BY until, partition_no LIMIT $4
        FOR UPDATE SKIP LOCKED) AS free
  WHERE l.processor = $1 AND l.partition_no = free.partition_no
  RETURNING l.partition_no, l.epoch::float8 AS epoch`;
/** The head's copy of the epoch is what appends are tested against, under the same lock that orders them. */
const FENCE_HEADS = `
  UPDATE log_head AS h SET delivery_epoch = e.epoch
  FROM unnest($1::smallint[], $2::bigint[]) AS e (partition_no, epoch)
  WHERE h.partition_no = e.partition_no AND h.delivery_epoch < e.epoch`;
const RELEASE = `
  UPDATE processor_lease SET until = '-infinity', owner = NULL
  WHERE processor = $1 AND owner = $2 AND partition_no = $3 AND epoch = $4`;
const LEAVE = 'DELETE FROM processor_member WHERE processor = $1 AND owner = $2';
const ADD_LEASES = `
  INSERT INTO processor_lease (processor, partition_no)
  SELECT $1, p FROM generate_series(0, $2::int - 1) AS p ON CONFLICT DO NOTHING`;

export type Lease = {
  readonly partition: number;
  /** Fencing token: every write made in the name of the lease names it, and an older one is refused. */
  readonly epoch: number;
};

export type LeaseEvents = {
  /** Called once the lease is held (and, for deliveries, fenced in the log's head). */
  readonly onTaken: (lease: Lease) => void | Promise<void>;
  /** Another owner has it, or its time ran out unrenewed: nothing may be started any more. */
  readonly onLost: (lease: Lease) => void;
  /** Asked to hand a partition over to another member: resolves when nothing is in flight. */
  readonly onRelease: (lease: Lease) => Promise<void>;
  readonly onError: (error: unknown) => void;
};

export type LeaseKeeper = {
  readonly owner: string;
  held(): readonly Lease[];
  /** False once the lease may have run out, by a monotonic clock read before it was asked for. */
  isHeld(partition: number): boolean;
  /** The database's clock in milliseconds, carried on by this machine's monotonic clock. */
  databaseNow(): number;
  start(): Promise<void>;
  /** Hands everything back. */
  stop(): Promise<void>;
};

/**
 * Shares the log partitions of one processor among all processes that run it: each takes its fair share of free or
 * expired leases, renews them three times per lease, and gives back what is above its share.
 */
export const createLeaseKeeper = ({
  pool,
  processor,
  partitions,
  leaseMs,
  fencesLog = false,
  events,
}: {
  pool: Pool;
  processor: string;
  partitions: number;
  leaseMs: number;
  /** True for the processor whose results are appended to the log. */
  fencesLog?: boolean;
  events: LeaseEvents;
}): LeaseKeeper => {
  const owner = randomUUID();
  const seconds = leaseMs / 1000;
  const held = new Map<number, { lease: Lease; deadline: number }>();
  const releasing = new Map<Lease, Promise<void>>();
  let clockOffset = Number.NaN;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let stopped = false;
  let round: Promise<void> = Promise.resolve();

  const lose = (lease: Lease): void => {
    if (held.delete(lease.partition)) events.onLost(lease);
  };

  const take = async (wanted: number): Promise<void> => {
    const asked = performance.now();
    const client = await pool.connect();
    let leases: Lease[];
    try {
      await client.query('BEGIN');
      const { rows } = await client.query<{ partition_no: number; epoch: number }>(TAKE, [
        processor,
        owner,
        seconds,
        wanted,
      ]);
      leases = rows
        .map((row) => ({ partition: row.partition_no, epoch: row.epoch }))
        .sort((a, b) => a.partition - b.partition);
      if (fencesLog && leases.length > 0) {
        // Heads in number order, as appends lock them.
        await client.query(
          'SELECT 1 FROM log_head WHERE partition_no = ANY($1::smallint[]) ORDER BY partition_no FOR UPDATE',
          [arrayLiteral(leases.map(({ partition }) => partition))],
        );
        await client.query(FENCE_HEADS, [
          arrayLiteral(leases.map(({ partition }) => partition)),
          arrayLiteral(leases.map(({ epoch }) => epoch)),
        ]);
      }
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
    for (const lease of leases) {
      held.set(lease.partition, { lease, deadline: asked + leaseMs });
      try {
        await events.onTaken(lease);
      } catch (error) {
        // Nobody would work on it: it is left to run out, and taken again.
        lose(lease);
        events.onError(error);
      }
    }
  };

  /** Only what is known to be held: a lease whose taking was never confirmed has to run out, or nobody would work on it. */
  const renew = async (): Promise<void> => {
    if (held.size === 0) return;
    const asked = performance.now();
    const known = [...held.values()].map(({ lease }) => lease);
    const { rows } = await pool.query<{ partition_no: number; epoch: number }>(RENEW, [
      processor,
      owner,
      seconds,
      arrayLiteral(known.map(({ partition }) => partition)),
      arrayLiteral(known.map(({ epoch }) => epoch)),
    ]);
    const renewed = new Map(rows.map((row) => [row.partition_no, row.epoch]));
    for (const lease of known) {
      const entry = held.get(lease.partition);
      if (entry?.lease !== lease) continue; // Handed back meanwhile.
      if (renewed.get(lease.partition) === lease.epoch) entry.deadline = asked + leaseMs;
      else lose(lease);
    }
  };

  /** Takes as long as what is in flight does; meanwhile the lease is renewed like the others. */
  const release = async (lease: Lease): Promise<void> => {
    await events.onRelease(lease);
    if (held.get(lease.partition)?.lease === lease) held.delete(lease.partition);
    await pool.query(RELEASE, [processor, owner, lease.partition, lease.epoch]);
  };

  const startRelease = (lease: Lease): Promise<void> => {
    const known = releasing.get(lease);
    if (known) return known;
    const done = release(lease)
      .catch(events.onError)
      .finally(() => releasing.delete(lease));
    releasing.set(lease, done);
    return done;
  };

  const turn = async (): Promise<void> => {
    await renew();
    if (stopping) return; // What is still in flight keeps its lease until it is recorded.
    await pool.query(JOIN, [processor, owner, seconds]);
    const before = performance.now();
    const { rows } = await pool.query<{ members: number; now_ms: number }>(COUNT_MEMBERS, [
      processor,
      seconds / 3, // Members renew three times per lease: who has less left has missed a turn, and gets no share.
    ]);
    const row = rows[0];
    if (!row) return;
    clockOffset = row.now_ms - (before + performance.now()) / 2;
    const share = Math.ceil(partitions / Math.max(1, row.members));
    const mine = [...held.values()].map(({ lease }) => lease).filter((lease) => !releasing.has(lease));
    if (mine.length < share) await take(share - mine.length);
    for (const lease of mine.slice(share)) void startRelease(lease);
  };

  const expire = (): void => {
    const now = performance.now();
    for (const { lease, deadline } of [...held.values()]) if (deadline <= now) lose(lease);
  };

  const schedule = (): void => {
    timer = setTimeout(() => {
      round = turn()
        .catch(events.onError)
        .finally(() => {
          expire();
          if (!stopped) schedule();
        });
    }, leaseMs / 3);
  };

  return {
    owner,
    held: () => [...held.values()].map(({ lease }) => lease),
    isHeld: (partition) => (held.get(partition)?.deadline ?? 0) > performance.now(),
    databaseNow: () => clockOffset + performance.now(),
    start: async () => {
      await pool.query(ADD_LEASES, [processor, partitions]);
      await pool.query(FORGET_MEMBERS, [processor]);
      await turn();
      schedule();
    },
    stop: async () => {
      stopping = true;
      await round;
      await Promise.all([...held.values()].map(({ lease }) => startRelease(lease)));
      stopped = true;
      clearTimeout(timer);
      await round;
      await pool.query(LEAVE, [processor, owner]).catch(events.onError);
    },
  };
};

/**
 * Frees every lease at once. Only for a start that is known to be alone (the embedded database has one owner): whoever
 * held a lease is dead, and waiting for the lease to run out would only delay deliveries.
 */
export const expireAllLeases = async (pool: Pool): Promise<void> => {
  await pool.query(`UPDATE processor_lease SET until = '-infinity'`);
  await pool.query('DELETE FROM processor_member');
};
