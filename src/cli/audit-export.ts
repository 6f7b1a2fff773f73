import { createPublicKey } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { access } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { makeHeader, type PublicKey, type Written, writeExport } from '../audit/export.ts';
import { createExportFile, findBegun, reopenExportFile } from '../audit/export-file.ts';
import type { Asked, Header } from '../audit/format.ts';
import type { Secrets } from '../config/secrets.ts';
import { prepareEd25519Key, whpkOf } from '../domain/signature/keys.ts';
import { readInstance } from '../eventstore/initialise.ts';
import { instantOf, partitionOf, placeOf } from './audit-places.ts';
import { type Command, EXIT, UsageError } from './command.ts';
import { type CommandDatabase, withDatabase } from './database.ts';
import { progressBar } from './progress.ts';

const OPTIONS = {
  from: { type: 'string', multiple: true },
  to: { type: 'string', multiple: true },
  partition: { type: 'string', multiple: true },
  until: { type: 'string' },
  output: { type: 'string' },
  resume: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

export const auditExportCommand: Command = {
  name: 'audit export',
  summary: 'Write the log, or a range of it, as NDJSON that can be verified without a database.',
  usage: `posthorn audit export [--from P]... [--to P]... [--partition N]... [--until INSTANT] [--output FILE|-] [--resume] [--json]

Writes domain events exactly as they are stored, with their digests, the hashes of their blocks, the signed checkpoints of the
range and the public keys. Without options all of the log, up to where it stands now; appends may go on. A range is widened
to whole blocks, since a hash proves a block only as a whole. The log holds no payloads, no answers and no secrets; it does
hold names, URLs of targets, labels and addresses of producers.

  --from P, --to P    first and last position: PARTITION:POSITION, or POSITION for every partition; may be given several times
  --partition N       only this log partition; may be given several times
  --until INSTANT     only what was recorded at INSTANT or before, such as 2026-03-01T10:00:00Z
  --output FILE       a file instead of standard output (-)
  --resume            go on with a FILE that was cut off, to the end that it began with
  --json              what was written as JSON

\`posthorn audit verify --export FILE\` verifies it, \`posthorn audit replay FILE\` replays it.`,
  run: async (context) => {
    const { values } = parseArgs({ args: [...context.args], options: OPTIONS });
    const path = values.output === undefined || values.output === '-' ? undefined : values.output;
    if (path === undefined && values.resume) throw new UsageError('--resume goes with --output FILE.');
    const asked: Asked = {
      partitions: [...new Set((values.partition ?? []).map((text) => partitionOf('--partition', text)))],
      from: (values.from ?? []).map((text) => placeOf('--from', text)),
      to: (values.to ?? []).map((text) => placeOf('--to', text)),
      until: values.until === undefined ? null : instantOf('--until', values.until),
    };
    return withDatabase(context, async (database) => {
      const header = (): Promise<Header> =>
        makeHeader(database.pool, { asked, version: context.version, publicKeys: publicKeysOf(database.secrets) });
      const bar = progressBar(context, 'exporting');
      const output =
        path === undefined
          ? { begun: { header: await header() }, write: writeToStdout(), close: async () => undefined }
          : await openOutput(path, { isResumed: values.resume === true, asked, header, database });
      try {
        const counts =
          'complete' in output
            ? output.complete
            : await writeExport(database.pool, output.begun, output.write, bar.update);
        bar.end();
        const text = values.json
          ? JSON.stringify({ output: path ?? '-', events: counts.events, checkpoints: counts.checkpoints })
          : `Exported ${counts.events} domain events and ${counts.checkpoints} signed checkpoints${path === undefined ? '' : ` to ${path}`}.`;
        if (path === undefined) context.err(`${text}\n`);
        else context.out(text);
        return EXIT.done;
      } finally {
        await output.close();
      }
    });
  },
};

const publicKeysOf = ({ biscuitPrivateKeys }: Secrets): PublicKey[] =>
  biscuitPrivateKeys.map(({ id, key }) => ({
    key_id: id,
    public_key: whpkOf(createPublicKey(prepareEd25519Key(key))),
  }));

/** Waits until whoever reads the pipe has taken it; rejects when nobody does any more. */
const writeToStdout = (): ((bytes: Buffer) => Promise<void>) => {
  process.stdout.on('error', () => undefined); // Told by the callback of the write, too.
  return (bytes) =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
};

type Output =
  | { readonly complete: { events: number; checkpoints: number }; readonly close: () => Promise<void> }
  | {
      readonly begun: { header: Header } | Written;
      readonly write: (bytes: Buffer) => Promise<void>;
      readonly close: () => Promise<void>;
    };

const openOutput = async (
  path: string,
  {
    isResumed,
    asked,
    header,
    database,
  }: { isResumed: boolean; asked: Asked; header: () => Promise<Header>; database: CommandDatabase },
): Promise<Output> => {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isResumed || !isThere) {
    const made = await header();
    return writingTo(await createExportFile(path), { header: made });
  }
  const begun = await findBegun(path);
  if (begun.kind === 'nothing') return writingTo(await reopenExportFile(path, 0), { header: await header() });
  const { header: old } = begun.written;
  const { instanceId } = await readInstance(database.pool);
  if (old.instance_id !== instanceId)
    throw new Error(`${path} is an export of instance ${old.instance_id}, this log is of ${instanceId}.`);
  if (asksForSomething(asked) && JSON.stringify(asked) !== JSON.stringify(old.asked))
    throw new Error(`${path} was begun with another range; give the same one, or none to go on with that.`);
  if (begun.kind === 'complete') return { complete: begun.written, close: async () => undefined };
  return writingTo(await reopenExportFile(path, begun.bytes), begun.written);
};

const asksForSomething = ({ partitions, from, to, until }: Asked): boolean =>
  partitions.length > 0 || from.length > 0 || to.length > 0 || until !== null;

const writingTo = (file: FileHandle, begun: { header: Header } | Written): Output => ({
  begun,
  write: (bytes) => file.appendFile(bytes),
  close: async () => {
    await file.sync();
    await file.close();
  },
});
