import type { Pool } from 'pg';
import { organizationDecider } from '../domain/organization/decider.ts';
import type { OrganizationCommand } from '../domain/organization/events.ts';
import { userDecider } from '../domain/user/decider.ts';
import { GuardUndone } from '../eventstore/flush.ts';
import { fold } from '../eventstore/fold.ts';
import { readInstance } from '../eventstore/initialise.ts';
import { partitionOf } from '../eventstore/partition.ts';
import { createLogReader, type LogReader } from '../eventstore/read.ts';
import type { RunQuery, StreamAppend } from '../eventstore/types.ts';
import { CONFIGURATION_TYPES, projectConfiguration } from '../projections/configuration/projections.ts';
import { lockOrganization } from '../projections/configuration/queries.ts';
import { type Queryable, queryableWithin } from '../projections/page.ts';
import { type Appending, type Cleaner, note } from './cleaner.ts';

/** An account whose address nobody has verified by then is most likely a slip, or somebody else's address. */
const UNVERIFIED_DAYS = 7;
const DAY_MS = 86_400_000;
/** Of one call. */
const USERS_AT_ONCE = 100;

const OVER = 'verified_at IS NULL AND created_at < $1';
const FIND_OVER = `SELECT user_id FROM user_account WHERE ${OVER} ORDER BY created_at LIMIT ${USERS_AT_ONCE}`;
/** An organization that nobody but its only member, if there is one, would miss. `o` is the organization. */
const HOLDS_NOTHING = `
  o.deleted_at IS NULL
  AND (SELECT count(*) FROM membership AS m WHERE m.organization_id = o.organization_id) <= 1
  AND NOT EXISTS (SELECT FROM invitation AS i WHERE i.organization_id = o.organization_id)
  AND NOT EXISTS (SELECT FROM service_token AS t WHERE t.organization_id = o.organization_id AND t.revoked_at IS NULL)
  AND NOT EXISTS (SELECT FROM application AS a WHERE a.organization_id = o.organization_id AND a.deleted_at IS NULL)`;
const COUNT_OVER = `
  SELECT (SELECT count(*)::int FROM user_account WHERE ${OVER}) AS unverified_users,
    (SELECT count(DISTINCT o.organization_id)::int
     FROM user_account AS u JOIN membership AS m USING (user_id) JOIN organization AS o USING (organization_id)
     WHERE u.verified_at IS NULL AND u.created_at < $1 AND ${HOLDS_NOTHING}) AS empty_organizations`;
const MEMBERSHIPS = `
  SELECT o.organization_id, ${HOLDS_NOTHING} AS holds_nothing
  FROM membership AS m JOIN organization AS o USING (organization_id) WHERE m.user_id = $1`;
const IS_EMPTY = `SELECT FROM organization AS o WHERE o.organization_id = $1 AND ${HOLDS_NOTHING}`;

const before = (now: Date): Date => new Date(now.getTime() - UNVERIFIED_DAYS * DAY_MS);

/** What one person leaves, and what is left of nobody by that. */
type Leaving = { readonly streams: readonly StreamAppend[]; readonly deleted: readonly string[] };

const leave = async (
  { pool, reader, partitions }: { pool: Pool; reader: LogReader; partitions: number },
  userId: string,
  now: Date,
): Promise<Leaving> => {
  const { rows } = await pool.query<{ organization_id: string; holds_nothing: boolean }>(MEMBERSHIPS, [userId]);
  const streams: StreamAppend[] = [];
  const deleted: string[] = [];
  for (const { organization_id: organizationId, holds_nothing: holdsNothing } of rows) {
    const streamId = `organization:${organizationId}`;
    const partition = partitionOf(organizationId, partitions);
    const folded = fold(organizationDecider, await reader.readStream(streamId, { partition }));
    let { state } = folded;
    if (state.status !== 'active' || !state.members.has(userId)) continue;
    const commands: OrganizationCommand[] = [
      { type: 'RemoveMember', data: { organizationId, userId, reason: 'erased', askedBy: null }, metadata: { now } },
    ];
    if (holdsNothing) {
      commands.push({ type: 'DeleteOrganization', data: { organizationId, applications: 0 }, metadata: { now } });
      deleted.push(organizationId);
    }
    const events = commands.flatMap((command) => {
      const decided = [organizationDecider.decide(command, state)].flat();
      state = decided.reduce(organizationDecider.evolve, state);
      return decided;
    });
    streams.push({ streamId, partition, expectedVersion: folded.version, events });
  }
  return { streams, deleted };
};

/** Under the lock that the creation of an application takes, too. Throws GuardUndone: then all begins anew. */
const requireEmpty = async (run: RunQuery, organizationId: string): Promise<void> => {
  const db = queryableWithin(run);
  await lockOrganization(db, organizationId);
  const { rows } = await db.query(IS_EMPTY, [organizationId]);
  if (rows.length === 0) throw new GuardUndone(organizationId);
};

const erase = async ({ pool, handle }: Appending, partitions: number, userId: string, now: Date): Promise<boolean> => {
  const reader = createLogReader({ db: pool, partitions });
  const streamId = `user:${userId}`;
  const { events } = await handle(
    userDecider,
    { streamId, partition: partitionOf(userId, partitions) },
    { type: 'EraseUser', data: { userId, reason: 'unverified' }, metadata: { now } },
    { actor: 'system:retention', causationId: streamId, correlationId: streamId },
    async () => {
      const { streams, deleted } = await leave({ pool, reader, partitions }, userId, now);
      return {
        others: streams,
        movesConfiguration: CONFIGURATION_TYPES,
        project: async (appended, run) => {
          for (const organizationId of deleted) await requireEmpty(run, organizationId);
          await projectConfiguration(appended, run);
          await run('DELETE FROM user_account WHERE user_id = $1', [userId]);
          await note(run, { unverified_users: 1, empty_organizations: deleted.length });
        },
      };
    },
  );
  return events.length > 0;
};

/**
 * With an account go its sessions and tokens; the log keeps an id that means nobody. The organization that came with the
 * registration goes, too, unless somebody else has put something in it: with the master key it may have been given applications.
 */
export const unverifiedUsers: Cleaner = {
  name: 'unverified_users',
  plan: async (db: Queryable, now) => {
    const { rows } = await db.query<{ unverified_users: number; empty_organizations: number }>(COUNT_OVER, [
      before(now),
    ]);
    return { unverified_users: rows[0]?.unverified_users ?? 0, empty_organizations: rows[0]?.empty_organizations ?? 0 };
  },
  append: async (at, now) => {
    const { partitions } = await readInstance(at.pool);
    const { rows } = await at.pool.query<{ user_id: string }>(FIND_OVER, [before(now)]);
    let erased = 0;
    for (const { user_id: userId } of rows) {
      if (at.signal.aborted) break;
      if (await erase(at, partitions, userId, now)) erased += 1;
    }
    return erased;
  },
};
