import type { ClientBase } from 'pg';
import { chainBlocks, type EventRow, type Head, INSERT_DOMAIN_EVENTS, MOVE_HEADS } from './insert.ts';
import { arrayLiteral, foldGuards, foldWrites, lines } from './statements.ts';
import type { Append, AppendResult, BatchStatement, Guard, RecordedEvent, StreamAppend, Write } from './types.ts';

const LOCK_HEADS = `
  SELECT partition_no, position::float8 AS position, hash, configuration_position::float8 AS configuration_position,
         delivery_epoch::float8 AS delivery_epoch,
         floor(extract(epoch FROM greatest(clock_timestamp(), recorded_at)) * 1000)::float8 AS now_ms
  FROM log_head
  WHERE partition_no = ANY($1::smallint[])
  ORDER BY partition_no
  FOR UPDATE`;

/** Shaped like a guard, so that one round trip looks up versions and tests the guards. */
const STREAM_VERSIONS: BatchStatement<StreamAppend> = {
  name: 'stream_versions',
  sql: `
    SELECT s.stream_id AS key,
           coalesce((SELECT max(e.stream_version) FROM domain_event AS e
                     WHERE e.partition_no = s.partition_no AND e.stream_id = s.stream_id), 0) AS stream_version
    FROM unnest($1::smallint[], string_to_array($2, E'\\n')) AS s (partition_no, stream_id)`,
  parameters: (streams) => [arrayLiteral(streams.map((s) => s.partition)), lines(streams.map((s) => s.streamId))],
};

type HeadRow = {
  partition_no: number;
  position: number;
  hash: Buffer;
  configuration_position: number;
  delivery_epoch: number;
  now_ms: number;
};

const lockHeads = async (client: ClientBase, partitions: readonly number[]): Promise<Map<number, Head>> => {
  const { rows } = await client.query<HeadRow>({
    name: 'lock_heads',
    text: LOCK_HEADS,
    values: [arrayLiteral(partitions)],
  });
  if (rows.length !== partitions.length)
    throw new Error(`Log partitions ${partitions.join(', ')} do not all exist; run \`posthorn migrate\`.`);
  return new Map(
    rows.map((row) => [
      row.partition_no,
      {
        partition: row.partition_no,
        position: row.position,
        hash: row.hash,
        configurationPosition: row.configuration_position,
        deliveryEpoch: row.delivery_epoch,
        nowMs: row.now_ms,
      },
    ]),
  );
};

const groupByStatement = <W extends Write>(
  writes: readonly W[],
): { statement: BatchStatement<unknown>; rows: unknown[] }[] => {
  const groups = new Map<BatchStatement<unknown>, unknown[]>();
  for (const { statement, row } of writes) {
    const rows = groups.get(statement);
    if (rows) rows.push(row);
    else groups.set(statement, [row]);
  }
  return [...groups].map(([statement, rows]) => ({ statement, rows }));
};

type Findings = { readonly versions: ReadonlyMap<string, number>; readonly guards: ReadonlyMap<string, number> };
const NOTHING_FOUND: Findings = { versions: new Map(), guards: new Map() };

/** Looks up the streams whose version is in question and tests the guards, in one statement or none. */
const probe = async (client: ClientBase, appends: readonly Append[]): Promise<Findings> => {
  const streams = appends.flatMap((append) => append.streams.filter((s) => typeof s.expectedVersion === 'number'));
  const guards = appends.flatMap((append): Guard[] => (append.guard ? [append.guard] : []));
  if (streams.length === 0 && guards.length === 0) return NOTHING_FOUND;
  const parts = groupByStatement(guards);
  if (streams.length > 0) parts.push({ statement: STREAM_VERSIONS as BatchStatement<unknown>, rows: streams });
  const { rows } = await client.query<{ guard: number; key: string; stream_version: number }>(foldGuards(parts));
  const versions = new Map<string, number>();
  const met = new Map<string, number>();
  for (const row of rows) {
    const isVersion = parts[row.guard]?.statement === STREAM_VERSIONS;
    (isVersion ? versions : met).set(row.key, row.stream_version);
  }
  return { versions, guards: met };
};

/** Why this append cannot go in, given what the locks showed and what earlier appends of the batch have added. */
const refusal = (
  append: Append,
  heads: ReadonlyMap<number, Head>,
  moved: ReadonlySet<number>,
): AppendResult | undefined => {
  const { fence, routedWith } = append;
  if (fence && heads.get(fence.partition)?.deliveryEpoch !== fence.epoch)
    return { kind: 'fenced', partition: fence.partition };
  if (
    routedWith &&
    (moved.has(routedWith.partition) ||
      heads.get(routedWith.partition)?.configurationPosition !== routedWith.configurationPosition)
  )
    return { kind: 'configuration-moved', partition: routedWith.partition };
  return undefined;
};

const conflict = (append: Append, versions: Map<string, number>, found: Findings): AppendResult | undefined => {
  if (append.guard && !found.guards.has(append.guard.key)) return { kind: 'guard-refused', key: append.guard.key };
  for (const { streamId, expectedVersion } of append.streams) {
    const added = versions.get(streamId);
    if (expectedVersion === 'guarded') continue;
    const actual = added ?? (expectedVersion === 'new' ? 0 : (found.versions.get(streamId) ?? 0));
    const expected = expectedVersion === 'new' ? 0 : expectedVersion;
    if (actual !== expected) return { kind: 'version-conflict', streamId, actual };
  }
  return undefined;
};

/** Gives the domain events of one append their positions and versions, and moves the heads accordingly. */
const record = (
  append: Append,
  heads: Map<number, Head>,
  versions: Map<string, number>,
  found: Findings,
): EventRow[] => {
  const metadata = JSON.stringify(append.metadata);
  const rows: EventRow[] = [];
  for (const { streamId, partition, expectedVersion, events } of append.streams) {
    const head = heads.get(partition);
    if (!head) throw new Error(`Log partition ${partition} was not locked.`);
    let version =
      versions.get(streamId) ??
      (expectedVersion === 'guarded'
        ? (found.guards.get(append.guard?.key ?? '') ?? 0)
        : (found.versions.get(streamId) ?? 0));
    for (const event of events) {
      head.position += 1;
      version += 1;
      const recorded: RecordedEvent = {
        partition,
        position: head.position,
        streamId,
        streamVersion: version,
        type: event.type,
        schemaVersion: event.schemaVersion ?? 1,
        data: event.data,
        metadata: append.metadata,
        recordedAtMs: head.nowMs,
        attachment: event.attachment,
      };
      rows.push({ event: recorded, data: JSON.stringify(event.data), metadata, digest: '', blockHash: '' });
      if (movesConfiguration(append, event.type)) head.configurationPosition = head.position;
    }
    versions.set(streamId, version);
  }
  return rows;
};

const movesConfiguration = ({ movesConfiguration: moves = false }: Append, type: string): boolean =>
  typeof moves === 'boolean' ? moves : moves.has(type);

/** Two guards on one key in a batch would both look met: the later one waits for the verdict that the first is over. */
const repeatedGuards = (appends: readonly Append[]): Set<Append> => {
  const keys = new Set<string>();
  const repeated = new Set<Append>();
  for (const append of appends) {
    if (!append.guard) continue;
    if (keys.has(append.guard.key)) repeated.add(append);
    keys.add(append.guard.key);
  }
  return repeated;
};

const partitionsOf = (appends: readonly Append[]): number[] => {
  const partitions = new Set<number>();
  for (const append of appends) {
    for (const stream of append.streams) partitions.add(stream.partition);
    if (append.routedWith) partitions.add(append.routedWith.partition);
    if (append.fence) partitions.add(append.fence.partition);
  }
  return [...partitions].sort((a, b) => a - b);
};

/** What the locks and the look-ups show, from which every verdict follows. */
type Evidence = { readonly heads: Map<number, Head>; readonly found: Findings };

/**
 * Takes the locks and looks up in one round trip. Statements run in order, each with a snapshot of its own, so the look-ups
 * see what was committed before the locks were had.
 */
const examine = async (client: ClientBase, appends: readonly Append[]): Promise<Evidence> => {
  const [, heads, found] = await Promise.all([
    client.query('BEGIN'),
    lockHeads(client, partitionsOf(appends)),
    probe(client, appends),
  ]);
  return { heads, found };
};

/**
 * Writes a batch of appends in one transaction: locks the heads in number order, tests what each append expects, inserts
 * what passes as one block per log partition, and commits. A refused append leaves its neighbours alone.
 *
 * Every check runs after the locks, in a statement of its own: a statement that waited for a lock still reads with the
 * snapshot from before the wait.
 */
export const flush = async (client: ClientBase, appends: readonly Append[]): Promise<AppendResult[]> => {
  const repeated = repeatedGuards(appends);
  const examined = appends.filter((append) => !repeated.has(append));
  const { heads, found } = await examine(client, examined);
  const overtaken = examined.filter((append) => append.guard && refusal(append, heads, NONE));
  if (overtaken.length > 0) {
    // Their guards have changed rows that are no longer theirs: all of that is taken back, and the rest begins again.
    await client.query('ROLLBACK');
    const verdicts = new Map(overtaken.map((append) => [append, refusal(append, heads, NONE) as AppendResult]));
    const rest = appends.filter((append) => !verdicts.has(append));
    const others = rest.length > 0 ? await flush(client, rest) : [];
    return appends.map((append) => verdicts.get(append) ?? (others[rest.indexOf(append)] as AppendResult));
  }

  const versions = new Map<string, number>();
  const moved = new Set<number>();
  const rows: EventRow[] = [];
  const writes: Write[] = [];
  const projections: { project: NonNullable<Append['project']>; events: RecordedEvent[] }[] = [];
  const results = appends.map((append): AppendResult => {
    if (append.guard && repeated.has(append)) return { kind: 'guard-refused', key: append.guard.key };
    const verdict = refusal(append, heads, moved) ?? conflict(append, versions, found);
    if (verdict) {
      if (append.guard && found.guards.has(append.guard.key)) throw new GuardUndone(append.guard.key);
      return verdict;
    }
    const recorded = record(append, heads, versions, found);
    for (const row of recorded) rows.push(row);
    if (append.writes) for (const write of append.writes) writes.push(write);
    const events = recorded.map(({ event }) => event);
    if (append.movesConfiguration)
      for (const { partition, type } of events) if (movesConfiguration(append, type)) moved.add(partition);
    if (append.project) projections.push({ project: append.project, events });
    return { kind: 'appended', events };
  });
  if (rows.length === 0) {
    await client.query('ROLLBACK');
    return results;
  }
  await insert(client, heads, rows, writes, projections);
  return results;
};

const NONE: ReadonlySet<number> = new Set();

const insert = async (
  client: ClientBase,
  heads: ReadonlyMap<number, Head>,
  rows: readonly EventRow[],
  writes: readonly Write[],
  projections: readonly { project: NonNullable<Append['project']>; events: readonly RecordedEvent[] }[],
): Promise<void> => {
  chainBlocks(rows, heads);
  const touched = new Set(rows.map(({ event }) => event.partition));
  const inserting = client.query(
    foldWrites([
      { statement: INSERT_DOMAIN_EVENTS as BatchStatement<unknown>, rows },
      {
        statement: MOVE_HEADS as BatchStatement<unknown>,
        rows: [...heads.values()].filter((h) => touched.has(h.partition)),
      },
      ...groupByStatement(writes),
    ]),
  );
  if (projections.length === 0) {
    // Sent together: had the insert failed, this commit would only roll back what is left, and the insert's error stands.
    await Promise.all([inserting, client.query('COMMIT')]);
    return;
  }
  await inserting;
  for (const { project, events } of projections) await project(events, (sql, values) => client.query(sql, values));
  await client.query('COMMIT');
};

/** A guard had its effect, but its append is refused for a reason found only later: then it must stand alone. */
export class GuardUndone extends Error {
  constructor(key: string) {
    super(`The guard ${key} was met by an append that is refused for another reason.`);
    this.name = 'GuardUndone';
  }
}
