import type { Cleaner, Counts } from './cleaner.ts';
import { type DueDeps, findDue, readClock } from './due.ts';
import { type Amount, countRows, type DayTable, measureShare, type Table } from './tables.ts';

export type PlannedDay = DayTable & { readonly rows: number };
export type PlannedRows = Amount & { readonly table: Table; readonly day: string; readonly applications: number };

/** What `apply` would do now. */
export type RetentionPlan = {
  readonly drops: readonly PlannedDay[];
  /** Over, but kept since deliveries wait for payloads of these days. */
  readonly held: readonly PlannedDay[];
  readonly deletions: readonly PlannedRows[];
  /** By the name of the cleaner. */
  readonly cleaners: Readonly<Record<string, Counts>>;
};

/** Looks and changes nothing. */
export const planRetention = async ({
  cleaners,
  ...deps
}: DueDeps & { readonly cleaners: readonly Cleaner[] }): Promise<RetentionPlan> => {
  const { db } = deps;
  const { drops, held, shares } = await findDue(deps);
  const counted = async (days: readonly DayTable[]): Promise<PlannedDay[]> => {
    const planned: PlannedDay[] = [];
    for (const day of days) planned.push({ ...day, rows: await countRows(db, day) });
    return planned;
  };
  const deletions = new Map<string, PlannedRows>();
  for (const share of shares) {
    const { table, day } = share;
    const { rows, bytes } = await measureShare(db, share, share.kept);
    if (rows === 0) continue;
    const before = deletions.get(`${table} ${day}`) ?? { table, day, applications: 0, rows: 0, bytes: 0 };
    deletions.set(`${table} ${day}`, {
      ...before,
      applications: before.applications + 1,
      rows: before.rows + rows,
      bytes: before.bytes + bytes,
    });
  }
  const { now } = await readClock(db);
  const found: Record<string, Counts> = {};
  for (const cleaner of cleaners) found[cleaner.name] = await cleaner.plan(db, now);
  return {
    drops: await counted(drops),
    held: await counted(held),
    deletions: [...deletions.values()],
    cleaners: found,
  };
};
