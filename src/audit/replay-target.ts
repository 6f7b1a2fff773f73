import type { Client } from 'pg';
import { genesisHash } from '../eventstore/chain.ts';
import type { CheckedBlock } from '../eventstore/chain-check.ts';
import { type Instance, readInstance } from '../eventstore/initialise.ts';
import { INSERT_DOMAIN_EVENTS, type InsertedRow } from '../eventstore/insert.ts';
import { migrate } from '../eventstore/migrate.ts';
import { arrayLiteral } from '../eventstore/statements.ts';
import { CONFIGURATION_TYPES } from '../projections/configuration/projections.ts';
import type { Cut } from './cut.ts';
import type { LogSource } from './log-source.ts';

const FIND_TABLES = `
  SELECT to_regclass('public.posthorn_migration') IS NOT NULL AS is_posthorn,
         (SELECT count(*)::int FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')) AS tables`;
const COUNT_INSTANCES = 'SELECT count(*)::int AS instances FROM instance';
const FIND_PLAN = 'SELECT up_to, until FROM replayed_log';
const ADD_INSTANCE = 'INSERT INTO instance (instance_id, partitions) VALUES ($1, $2)';
const ADD_HEADS = `
  INSERT INTO log_head (partition_no, hash)
  SELECT partition_no, decode(hash, 'hex') FROM unnest($1::smallint[], string_to_array($2, E'\\n')) AS h (partition_no, hash)`;
const ADD_PLAN = 'INSERT INTO replayed_log (up_to, until) VALUES ($1::json, $2::json)';
/** Whatever release is started on this database later: it can take no lease and append nothing. */
const FORBID = `
  REVOKE INSERT ON domain_event, log_checkpoint FROM posthorn_app;
  REVOKE UPDATE ON log_head FROM posthorn_app;
  REVOKE INSERT, UPDATE, DELETE ON pending_delivery, processor_lease, processor_member, processor_checkpoint FROM posthorn_app`;
const READ_HEADS = 'SELECT partition_no, position::float8 AS position, hash FROM log_head ORDER BY partition_no';
const MOVE_HEAD = `
  UPDATE log_head
  SET position = $3, hash = decode($4, 'hex'), recorded_at = to_timestamp($5::float8 / 1000),
      configuration_position = greatest(configuration_position, $6)
  WHERE partition_no = $1 AND position = $2`;
const FINISH = 'UPDATE replayed_log SET finished_at = coalesce(finished_at, clock_timestamp())';

export type ReplayHead = { readonly position: number; readonly hash: Buffer };

type Plan = { readonly up_to: [number, number][]; readonly until: Cut };

/**
 * Makes an empty database the target of a replay, or finds that it is the unfinished one of the same: answers with the ends
 * of the log to replay. Any other database is refused and left as it is.
 */
export const openTarget = async (
  client: Client,
  url: string,
  source: Pick<LogSource, 'instanceId' | 'upTo'>,
  until: Cut,
): Promise<{ upTo: Map<number, number>; isResumed: boolean }> => {
  const { rows: found } = await client.query<{ is_posthorn: boolean; tables: number }>(FIND_TABLES);
  if (found[0]?.is_posthorn !== true && found[0]?.tables !== 0)
    throw new Error('The database is not empty: it has tables that are not of Posthorn. Give an empty one.');
  await migrate({ url });
  const plan = (await client.query<Plan>(FIND_PLAN)).rows[0];
  if (plan) return { upTo: resumed(plan, await readInstance(client), source, until), isResumed: true };
  const { rows } = await client.query<{ instances: number }>(COUNT_INSTANCES);
  if (rows[0]?.instances !== 0)
    throw new Error('The database is not empty: it holds the log of an instance. Give an empty one to replay into.');
  await begin(client, source, until);
  return { upTo: new Map(source.upTo), isResumed: false };
};

const begin = async (
  client: Client,
  { instanceId, upTo }: Pick<LogSource, 'instanceId' | 'upTo'>,
  until: Cut,
): Promise<void> => {
  const partitions = [...upTo.keys()];
  await client.query('BEGIN');
  await client.query(ADD_INSTANCE, [instanceId, partitions.length]);
  await client.query(ADD_HEADS, [
    arrayLiteral(partitions),
    partitions.map((partition) => genesisHash(instanceId, partition).toString('hex')).join('\n'),
  ]);
  await client.query(ADD_PLAN, [JSON.stringify([...upTo]), JSON.stringify(until)]);
  await client.query(FORBID);
  await client.query('COMMIT');
};

/** The source may have grown since, which is a running log's way; the end stays where it was. */
const resumed = (
  plan: Plan,
  instance: Instance,
  { instanceId, upTo }: Pick<LogSource, 'instanceId' | 'upTo'>,
  until: Cut,
): Map<number, number> => {
  if (instance.instanceId !== instanceId)
    throw new Error(`The database holds a replay of instance ${instance.instanceId}; this log is of ${instanceId}.`);
  if (JSON.stringify(plan.until) !== JSON.stringify(until))
    throw new Error('The database holds a replay that was begun with another --until; give the same, or an empty one.');
  for (const [partition, last] of plan.up_to)
    if ((upTo.get(partition) ?? 0) < last)
      throw new Error(
        `The database holds a replay up to position ${last} of log partition ${partition}, which this log does not have.`,
      );
  return new Map(plan.up_to);
};

export const readReplayHeads = async (client: Client): Promise<Map<number, ReplayHead>> => {
  const { rows } = await client.query<{ partition_no: number; position: number; hash: Buffer }>(READ_HEADS);
  return new Map(rows.map(({ partition_no, position, hash }) => [partition_no, { position, hash }]));
};

const insertedRows = (blocks: readonly CheckedBlock[]): InsertedRow[] =>
  blocks.flatMap(({ events, recordedAtMs }) =>
    events.map((event) => ({
      event: { ...event, recordedAtMs },
      data: event.data,
      metadata: event.metadata,
      digest: event.digest,
      blockHash: event.blockHash ?? '',
    })),
  );

/**
 * Appends whole blocks of one log partition exactly as they are, and moves its head in the same transaction: that is where a
 * replay which was killed goes on.
 */
export const appendBlocks = async (client: Client, since: number, blocks: readonly CheckedBlock[]): Promise<void> => {
  const last = blocks.at(-1);
  if (!last) return;
  const rows = insertedRows(blocks);
  const configuration = rows.findLast(({ event }) => CONFIGURATION_TYPES.has(event.type))?.event.position ?? 0;
  await client.query('BEGIN');
  try {
    await client.query({
      name: 'replay_domain_events',
      text: INSERT_DOMAIN_EVENTS.sql,
      values: INSERT_DOMAIN_EVENTS.parameters(rows),
    });
    const { rowCount } = await client.query(MOVE_HEAD, [
      last.partition,
      since,
      last.last,
      last.hash,
      last.recordedAtMs,
      configuration,
    ]);
    if (rowCount !== 1) throw new Error(`Log partition ${last.partition} was moved by somebody else.`);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined); // The first error is the one that tells.
    throw error;
  }
};

/** Waits for the disk, which the batches before did not. */
export const finishTarget = async (client: Client): Promise<void> => {
  await client.query('SET synchronous_commit = on');
  await client.query(FINISH);
};
