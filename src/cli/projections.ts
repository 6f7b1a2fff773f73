import { parseArgs } from 'node:util';
import { allProjections } from '../projections/index.ts';
import { checkProjection, digestProjections, listProjections, rebuildProjection } from '../projections/maintenance.ts';
import { type Command, type CommandContext, EXIT, UsageError } from './command.ts';
import { withDatabase } from './database.ts';
import { progressBar } from './progress.ts';
import { table } from './table.ts';

const named = ({ args }: CommandContext, command: string) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean' }, 'start-over': { type: 'boolean' } },
  });
  const [name] = positionals;
  if (name === undefined || positionals.length > 1)
    throw new UsageError(
      `Name one projection: posthorn projections ${command} NAME; \`posthorn projections list\` shows them.`,
    );
  if (!allProjections.some((projection) => projection.name === name))
    throw new UsageError(`There is no projection ${name}; \`posthorn projections list\` shows them.`);
  return { name, json: values.json === true, startOver: values['start-over'] === true };
};

export const projectionsListCommand: Command = {
  name: 'projections list',
  summary: 'Show the read models and how far each has come.',
  usage: `posthorn projections list [--digests] [--json]

Inline ones are written with the append itself and are never behind. One that has stopped names the position it cannot apply.

  --digests   rows and digest of each table as well, each projection in a snapshot of its own: equal at equal positions,
              in this database and in one that \`posthorn audit replay\` has made; reads every row`,
  run: async (context) => {
    const { values } = parseArgs({
      args: [...context.args],
      options: { json: { type: 'boolean' }, digests: { type: 'boolean' } },
    });
    return withDatabase(context, async ({ pool, url }) => {
      const projections = await listProjections(pool);
      const digests = values.digests === true ? await digestProjections(url) : undefined;
      const stopped = projections.flatMap(({ partitions }) =>
        partitions.flatMap(({ error }) => (error === null ? [] : [error])),
      );
      context.out(
        values.json
          ? JSON.stringify(
              projections.map((projection) => ({ ...projection, ...digests?.get(projection.name) })),
              null,
              2,
            )
          : [
              table([
                ['NAME', 'VERSION', 'MODE', 'LAG', 'STATE'],
                ...projections.map(({ name, version, mode, lag, partitions }) => [
                  name,
                  version,
                  mode,
                  lag,
                  partitions.some(({ error }) => error !== null) ? 'STOPPED' : 'ok',
                ]),
              ]),
              ...stopped,
              ...(digests === undefined ? [] : [digestTable(digests)]),
            ].join('\n'),
      );
      return stopped.length === 0 ? EXIT.done : EXIT.failed;
    });
  },
};

const digestTable = (digests: Awaited<ReturnType<typeof digestProjections>>): string =>
  table([
    ['PROJECTION', 'TABLE', 'ROWS', 'DIGEST'],
    ...[...digests].flatMap(([name, { digests: own }]) =>
      own.map(({ table: of, rows, sums }): (string | number)[] => [name, of, rows, sums]),
    ),
  ]);

export const projectionsCheckCommand: Command = {
  name: 'projections check',
  summary: 'Rebuild a read model from zero and compare it with the live one.',
  usage: `posthorn projections check NAME [--json]

Works on a temporary copy; reads, ingest and the live read model go on. Exit code 1 when they differ.`,
  run: async (context) => {
    const { name, json } = named(context, 'check');
    return withDatabase(context, async ({ url }) => {
      const bar = progressBar(context, `checking ${name}`);
      const { isEqual, live, rebuilt } = await checkProjection({
        ownerUrl: url,
        name,
        onProgress: ({ done, total }) => bar.update(done, total),
      });
      bar.end();
      context.out(
        json
          ? JSON.stringify({ name, is_equal: isEqual, live, rebuilt }, null, 2)
          : `${name}: ${isEqual ? 'equal to a rebuild from zero' : 'NOT what the log says; mend it with `posthorn projections rebuild`'} (${live.map(({ table: of, rows }) => `${rows} rows of ${of}`).join(', ')})`,
      );
      return isEqual ? EXIT.done : EXIT.failed;
    });
  },
};

export const projectionsRebuildCommand: Command = {
  name: 'projections rebuild',
  summary: 'Build a read model afresh from the log and put it in the place of the live one.',
  usage: `posthorn projections rebuild NAME [--start-over] [--json]

Reads and ingest go on; a run that is killed is taken up by the next one where it stopped.

  --start-over   throw away what an unfinished run left, which a change of the code asks for`,
  run: async (context) => {
    const { name, json, startOver } = named(context, 'rebuild');
    return withDatabase(context, async ({ url }) => {
      const bar = progressBar(context, `rebuilding ${name}`);
      const { wasEqual, isResumed, rebuilt } = await rebuildProjection({
        ownerUrl: url,
        name,
        startOver,
        onProgress: ({ done, total }) => bar.update(done, total),
      });
      bar.end();
      context.out(
        json
          ? JSON.stringify({ name, was_equal: wasEqual, is_resumed: isResumed, rebuilt }, null, 2)
          : `${name}: rebuilt${isResumed ? ' (went on where an earlier run had stopped)' : ''} and swapped in; the old one was ${wasEqual ? 'equal' : 'NOT what the log says'}.`,
      );
      return EXIT.done;
    });
  },
};
