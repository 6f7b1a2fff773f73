import { parseArgs } from 'node:util';
import { createCommandHandler } from '../eventstore/command-handler.ts';
import { createGroupCommit } from '../eventstore/group-commit.ts';
import { readInstance } from '../eventstore/initialise.ts';
import { createAppPool } from '../eventstore/pool.ts';
import { createLogReader } from '../eventstore/read.ts';
import { refuseReplayed } from '../eventstore/replayed.ts';
import { applyRetention, type RetentionApplied } from '../retention/apply.ts';
import { cleaners } from '../retention/cleaners.ts';
import { createRetentionDaysOf } from '../retention/days.ts';
import { alone } from '../retention/lock.ts';
import { planRetention, type RetentionPlan } from '../retention/plan.ts';
import { createRetentionPool } from '../retention/pool.ts';
import { type Command, type CommandContext, EXIT } from './command.ts';
import { type CommandDatabase, withDatabase } from './database.ts';
import { table } from './table.ts';

const isJson = ({ args }: CommandContext): boolean =>
  parseArgs({ args: [...args], options: { json: { type: 'boolean' } } }).values.json === true;

const planTable = ({ drops, held, deletions, cleaners: cleaned }: RetentionPlan): string => {
  const rows = [
    ...drops.map(({ table: of, day, rows: count, bytes }) => ['drop the day', of, day, count, bytes]),
    ...deletions.map(({ table: of, day, rows: count, bytes }) => ['delete rows', of, day, count, bytes]),
    ...Object.values(cleaned).flatMap((counts) =>
      Object.entries(counts).flatMap(([kind, count]) => (count === 0 ? [] : [['delete rows', kind, '', count, '']])),
    ),
    ...held.map(({ table: of, day, rows: count, bytes }) => ['keep: deliveries wait', of, day, count, bytes]),
  ];
  return rows.length === 0 ? 'Nothing is over.' : table([['WHAT', 'OF', 'DAY', 'ROWS', 'BYTES'], ...rows]);
};

const openPool = async <Result>(
  { url }: CommandDatabase,
  use: (pool: ReturnType<typeof createRetentionPool>) => Promise<Result>,
): Promise<Result> => {
  const pool = createRetentionPool(url);
  try {
    return await use(pool);
  } finally {
    await pool.end();
  }
};

export const retentionPlanCommand: Command = {
  name: 'retention plan',
  summary: 'Show what is over and would be cleaned now.',
  usage: `posthorn retention plan [--json]

Changes nothing. Days of payloads and answers that are dropped whole, rows of applications that keep them for a shorter time than
others, and what else is cleaned; also days that are over, but kept since deliveries wait for their payloads.`,
  run: async (context) => {
    const json = isJson(context);
    return withDatabase(context, async (database) => {
      const plan = await openPool(database, (pool) =>
        planRetention({ db: pool, retentionDaysOf: createRetentionDaysOf(pool, database.config), cleaners }),
      );
      context.out(json ? JSON.stringify(plan, null, 2) : planTable(plan));
      return EXIT.done;
    });
  },
};

const appliedText = ({ cleaned, postponed }: RetentionApplied): string =>
  [
    cleaned === undefined
      ? 'Nothing was over.'
      : table([
          ['GONE', 'ROWS'],
          ...Object.entries(cleaned.counts).map(([kind, rows]): [string, number] => [kind, rows]),
        ]),
    ...(['payload', 'response'] as const).flatMap((of) => {
      const dropped = cleaned?.droppedDays[of] ?? [];
      return dropped.length === 0 ? [] : [`Days of ${of} dropped: ${dropped.join(', ')}.`];
    }),
    ...(postponed.length === 0 ? [] : [`Days in use were left: ${postponed.map(({ day }) => day).join(', ')}.`]),
  ].join('\n');

export const retentionApplyCommand: Command = {
  name: 'retention apply',
  summary: 'Clean what is over now, as the service does every hour.',
  usage: `posthorn retention apply [--json]

\`posthorn retention plan\` shows what that is. What was cleaned is told by the log (RetentionApplied). Ingest and deliveries go on.
Exit code 1 while another process is cleaning.`,
  run: async (context) => {
    const json = isJson(context);
    return withDatabase(context, async (database) => {
      const { url, pool: owner, config } = database;
      await refuseReplayed(url);
      const { partitions } = await readInstance(owner);
      const appending = createAppPool({ url, max: 1, name: 'append' });
      try {
        const log = createGroupCommit({ pool: appending });
        const reader = createLogReader({ db: appending, partitions });
        const applied = await openPool(database, (pool) =>
          alone(url, () =>
            applyRetention({
              pool,
              handle: createCommandHandler({ log, reader }),
              retentionDaysOf: createRetentionDaysOf(pool, config),
              cleaners,
              signal: new AbortController().signal,
            }),
          ),
        );
        if (!applied) context.err('Another process is cleaning.\n');
        else context.out(json ? JSON.stringify(applied, null, 2) : appliedText(applied));
        return applied ? EXIT.done : EXIT.failed;
      } finally {
        await appending.end();
      }
    });
  },
};
