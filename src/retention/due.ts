import type { Queryable } from '../projections/page.ts';
import { daysBefore, firstKeptDay, type RetentionDaysOf } from './days.ts';
import { DELETED_KEPT_DAYS } from './deleted-applications.ts';
import { type DayTable, findDayTables, findShares, findStrayDays, type Share, type Table } from './tables.ts';

/** Events of one application and day that deliveries still wait for; more than this are not looked at one by one. */
const PENDING_MAX = 50_000;

/** What is over, as it is now. */
export type Due = {
  /** Days of which everything is over, each a table. */
  readonly drops: readonly DayTable[];
  /** The same, but deliveries wait for payloads of theirs. */
  readonly held: readonly DayTable[];
  /** What is over for one application, while its day is kept for others; with the events that deliveries wait for. */
  readonly shares: readonly (Share & { readonly kept: readonly string[] })[];
};

export type DueDeps = { readonly db: Queryable; readonly retentionDaysOf: RetentionDaysOf };

/** The clock of the database: one process whose clock runs ahead must not drop anything early. */
const READ_CLOCK = `SELECT clock_timestamp() AS now, ((clock_timestamp() AT TIME ZONE 'UTC')::date)::text AS today`;
/** Those of an organization that was erased count as deleted long ago, and all they have is over. */
const READ_APPLICATIONS = `
  SELECT a.application_id, a.deleted_at, o.erased_at IS NOT NULL AS is_erased
  FROM application AS a JOIN organization AS o ON o.organization_id = a.organization_id`;
const READ_PENDING = `
  SELECT DISTINCT ((received_at AT TIME ZONE 'UTC')::date)::text AS day, application_id, event_id
  FROM pending_delivery WHERE received_at < ($1::date)::timestamp AT TIME ZONE 'UTC'
  LIMIT ${PENDING_MAX + 1}`;

export const readClock = async (db: Queryable): Promise<{ now: Date; today: string }> => {
  const { rows } = await db.query<{ now: Date; today: string }>(READ_CLOCK);
  if (!rows[0]) throw new Error('The database told no time.');
  return rows[0];
};

type Limits = {
  /** The first day that is kept, by application. */
  readonly firstKept: ReadonlyMap<string, string>;
  /** Of the application that keeps longest. */
  readonly earliest: string;
  /** Of the one that keeps shortest. */
  readonly latest: string;
};

/** Undefined while there is no application: then there is nothing that could be over. */
const readLimits = async ({ db, retentionDaysOf }: DueDeps): Promise<Limits | undefined> => {
  const { today } = await readClock(db);
  const { rows } = await db.query<{ application_id: string; deleted_at: Date | null; is_erased: boolean }>(
    READ_APPLICATIONS,
  );
  const endOfDeleted = `${daysBefore(today, DELETED_KEPT_DAYS)}T00:00:00.000Z`;
  const firstKept = new Map<string, string>();
  for (const { application_id: id, deleted_at: deletedAt, is_erased: isErased } of rows) {
    const first = firstKeptDay(today, await retentionDaysOf(id));
    const at = deletedAt?.toISOString();
    // Of one that was deleted before the first day that is kept nothing can be younger: it needs no look at every day.
    const isOver = isErased || (at !== undefined && at < endOfDeleted && at >= first);
    firstKept.set(id, isOver ? (isErased ? daysBefore(today, -1) : today) : first);
  }
  const days = [...firstKept.values()].sort();
  const [earliest, latest] = [days[0], days.at(-1)];
  return earliest === undefined || latest === undefined ? undefined : { firstKept, earliest, latest };
};

/** Events that deliveries wait for, by day and application; undefined when they are too many to be told one by one. */
const readPending = async (db: Queryable, before: string): Promise<Map<string, string[]> | undefined> => {
  const { rows } = await db.query<{ day: string; application_id: string; event_id: string }>(READ_PENDING, [before]);
  if (rows.length > PENDING_MAX) return undefined;
  const pending = new Map<string, string[]>();
  for (const { day, application_id: id, event_id: eventId } of rows) {
    const key = `${day} ${id}`;
    pending.set(key, [...(pending.get(key) ?? []), eventId]);
  }
  return pending;
};

/**
 * What is over. A day is dropped whole once it is over for every application; before that, the rows of those for which it is
 * over already are deleted by their keys. What a delivery waits for is kept until the delivery is over.
 */
export const findDue = async (deps: DueDeps): Promise<Due> => {
  const { db } = deps;
  const limits = await readLimits(deps);
  if (!limits) return { drops: [], held: [], shares: [] };
  const { firstKept, earliest, latest } = limits;
  const pending = await readPending(db, latest);
  const pendingDays = pending && new Set([...pending.keys()].map((key) => key.slice(0, 10)));
  const tables = (await findDayTables(db)).filter(({ day }) => day < latest);
  const isHeld = ({ table, day }: DayTable): boolean =>
    table === 'payload' && (pendingDays === undefined || pendingDays.has(day));

  const shares: (Share & { kept: readonly string[] })[] = [];
  /** `after`: what is over no later than this day is dropped with it. */
  const addShares = async (table: Table, day: string, after: string): Promise<void> => {
    if (table === 'payload' && !pending) return;
    for (const share of await findShares(db, table, day)) {
      const first = firstKept.get(share.applicationId) ?? earliest;
      if (day >= first || first <= after) continue;
      const kept = table === 'payload' ? (pending?.get(`${day} ${share.applicationId}`) ?? []) : [];
      shares.push({ ...share, kept });
    }
  };
  if (latest > earliest) {
    const dropped = (of: DayTable): boolean => of.day < earliest && !isHeld(of);
    for (const of of tables.filter((one) => !dropped(one))) await addShares(of.table, of.day, earliest);
  }
  for (const table of ['payload', 'response'] as const)
    for (const day of await findStrayDays(db, table, latest)) await addShares(table, day, '');

  const over = tables.filter(({ day }) => day < earliest);
  return { drops: over.filter((of) => !isHeld(of)), held: over.filter(isHeld), shares };
};
