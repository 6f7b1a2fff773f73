import { parseArgs } from 'node:util';
import { Pool } from 'pg';
import type { Cut } from '../audit/cut.ts';
import { databaseSource } from '../audit/database-source.ts';
import { exportSource } from '../audit/export-source.ts';
import type { LogSource } from '../audit/log-source.ts';
import { type Replayed, type ReplayProgress, replayLog } from '../audit/replay.ts';
import { loadConfig } from '../config/load.ts';
import { instantOf, placeOf } from './audit-places.ts';
import { type Command, type CommandContext, EXIT, UsageError } from './command.ts';
import { withDatabase } from './database.ts';
import { type ProgressBar, progressBar } from './progress.ts';
import { table } from './table.ts';

export const auditReplayCommand: Command = {
  name: 'audit replay',
  summary: 'Replay a log into an empty database: the same domain events, the same read models.',
  usage: `posthorn audit replay FILE|--from-database URL [--database URL] [--until LIMIT]... [--json]

Appends every domain event exactly as it was (positions, versions, instants, digests, hashes), proving each block before it,
then builds all read models and shows the digests of their tables: \`posthorn projections list --digests\` shows those of the
source. A run that is killed is taken up by the same command. Nothing is delivered from such a database: it has no work list
and no secrets, and \`posthorn serve\` refuses it.

  --from-database URL   read the log of a Posthorn's database instead of a FILE made by \`posthorn audit export\`
  --database URL        the empty database, as its owner; else DATABASE_URL's, else the embedded one of POSTHORN_DATA_DIR
  --until LIMIT         an instant such as 2026-03-01T10:00:00Z, for all of the log, or PARTITION:POSITION, for that partition;
                        may be given several times. A limit within a block takes the whole block, which was one commit
  --json                positions, hashes and digests as JSON`,
  run: async (context) => {
    const { values, positionals } = parseArgs({
      args: [...context.args],
      allowPositionals: true,
      options: {
        'from-database': { type: 'string' },
        database: { type: 'string' },
        until: { type: 'string', multiple: true },
        json: { type: 'boolean' },
      },
    });
    const [path] = positionals;
    const sourceUrl = values['from-database'];
    if (positionals.length > 1 || (path === undefined) === (sourceUrl === undefined))
      throw new UsageError('Name one log to replay: posthorn audit replay FILE, or --from-database URL.');
    const until = cutOf(values.until ?? []);
    return withTarget(context, values.database, async (targetUrl) => {
      if (sourceUrl === targetUrl) throw new UsageError('A log cannot be replayed into its own database.');
      const replayFrom = async (source: LogSource): Promise<number> => {
        const bars = phaseBars(context);
        const replayed = await replayLog({ source, targetUrl, until, onProgress: bars.update });
        bars.end();
        context.out(values.json ? asJson(replayed) : asText(replayed));
        return EXIT.done;
      };
      if (path !== undefined) return replayFrom(await exportSource(path));
      const pool = new Pool({ connectionString: sourceUrl, max: 1, application_name: 'posthorn audit replay' });
      pool.on('error', () => undefined);
      pool.on('connect', (client) => client.on('error', () => undefined));
      try {
        return await replayFrom(await databaseSource(pool));
      } finally {
        await pool.end();
      }
    });
  },
};

/** A database of one's own needs no keys: a replay seals, signs and sends nothing. */
const withTarget = (
  context: CommandContext,
  given: string | undefined,
  use: (url: string) => Promise<number>,
): Promise<number> => {
  const url = given ?? loadConfig(context.env).databaseUrl;
  return url === undefined ? withDatabase(context, (database) => use(database.url)) : use(url);
};

const cutOf = (limits: readonly string[]): Cut => {
  const isPlace = (text: string): boolean => /^\d+:\d+$/.test(text);
  const instants = limits.filter((text) => !isPlace(text)).map((text) => instantOf('--until', text));
  const positions = limits.filter(isPlace).map((text) => {
    const { partition, position } = placeOf('--until', text);
    return { partition: partition ?? 0, position };
  });
  return {
    instant: instants.sort()[0] ?? null,
    positions: positions.sort((a, b) => a.partition - b.partition || a.position - b.position),
  };
};

const LABELS = { log: 'replaying the log', 'read models': 'building read models' } as const;

/** One bar after the other. */
const phaseBars = (context: CommandContext): { update: ReplayProgress; end: () => void } => {
  let current: { phase: keyof typeof LABELS; bar: ProgressBar } | undefined;
  return {
    update: (phase, done, total) => {
      if (current?.phase !== phase) {
        current?.bar.end();
        current = { phase, bar: progressBar(context, LABELS[phase]) };
      }
      current.bar.update(done, total);
    },
    end: () => current?.bar.end(),
  };
};

const asJson = ({ isResumed, events, heads, digests }: Replayed): string =>
  JSON.stringify(
    {
      is_resumed: isResumed,
      events,
      heads: [...heads].map(([partition, { position, hash }]) => ({ partition, position, hash: hash.toString('hex') })),
      digests,
    },
    null,
    2,
  );

const asText = ({ isResumed, events, heads, digests }: Replayed): string =>
  [
    table([
      ['PROJECTION', 'TABLE', 'ROWS', 'DIGEST'],
      ...digests.map(({ projection, table: name, rows, sums }) => [projection, name, rows, sums]),
    ]),
    `Replayed ${events} domain events${isResumed ? ' (went on where an earlier run had stopped)' : ''} up to ${[...heads].map(([partition, { position }]) => `${partition}:${position}`).join(' ')}.`,
  ].join('\n');
