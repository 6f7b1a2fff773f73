import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { countOf } from '../audit/export.ts';
import { LogFault } from '../audit/log-source.ts';
import { openExport } from '../audit/read-export.ts';
import { publicKeyOfWhpk } from '../domain/signature/keys.ts';
import {
  checkCheckpoint,
  type PublicKeys,
  readCheckpoints,
  type SignedCheckpoint,
  signCheckpoint,
} from '../eventstore/signed-heads.ts';
import { verifyLog } from '../eventstore/verify.ts';
import { type Command, type CommandContext, EXIT, UsageError } from './command.ts';
import { withDatabase } from './database.ts';
import { progressBar } from './progress.ts';

export const auditVerifyCommand: Command = {
  name: 'audit verify',
  summary: 'Prove that the log, or an export of it, is as it was appended.',
  usage: `posthorn audit verify [--checkpoint FILE]... [--json]
posthorn audit verify --export FILE [--public-key ID:KEY]... [--checkpoint FILE]... [--json]

Recomputes the hash chain of every log partition and compares it with all signed checkpoints: those kept beside the log and
those given as files (made by \`posthorn audit checkpoint\`). Names the position of whatever does not fit. Appends may go on.

  --export FILE         verifies a file made by \`posthorn audit export\` instead; asks for no database and no keys of Posthorn
  --public-key ID:KEY   the key that signed checkpoints, as /.well-known/posthorn-keys.json shows it (whpk_...); may be given
                        several times. Without it the keys that the export names are believed
  --checkpoint FILE     a signed checkpoint that was kept elsewhere; may be given several times
  --json                the findings as JSON

Exit code 0 when everything fits, 1 when something does not.`,
  run: async (context) => {
    const { values } = parseArgs({
      args: [...context.args],
      options: {
        json: { type: 'boolean' },
        checkpoint: { type: 'string', multiple: true },
        export: { type: 'string' },
        'public-key': { type: 'string', multiple: true },
      },
    });
    const publicKeys = values['public-key']?.map(publicKeyOf);
    if (publicKeys && values.export === undefined) throw new UsageError('--public-key goes with --export FILE.');
    const given = await Promise.all((values.checkpoint ?? []).map(readCheckpointFile));
    const findings =
      values.export === undefined
        ? await verifyDatabase(context, given)
        : await verifyExport(context, values.export, given, publicKeys && new Map(publicKeys));
    return report(context, findings, values.json === true);
  },
};

type Findings = {
  readonly what: 'log' | 'export';
  readonly events: number;
  readonly blocks: number;
  readonly partitions: number;
  /** Without a place for what is wrong with an export as a file. */
  readonly faults: readonly { readonly partition?: number; readonly position?: number; readonly text: string }[];
  readonly checkpoints: number;
  readonly against: readonly string[];
};

const report = ({ out }: CommandContext, findings: Findings, asJson: boolean): number => {
  const { what, events, blocks, partitions, faults, checkpoints, against } = findings;
  const isSound = faults.length === 0 && against.length === 0;
  const conclusion = isSound
    ? `The ${what} is sound: ${events} domain events in ${blocks} blocks over ${partitions} partitions, ${checkpoints} signed checkpoints.`
    : `The ${what} does NOT verify: ${faults.length + against.length} findings.`;
  out(
    asJson
      ? JSON.stringify(
          { is_sound: isSound, events, blocks, partitions, faults, checkpoints, checkpoint_findings: against },
          null,
          2,
        )
      : [...faults.map(({ text }) => text), ...against, conclusion].join('\n'),
  );
  return isSound ? EXIT.done : EXIT.failed;
};

const verifyDatabase = (context: CommandContext, given: readonly SignedCheckpoint[]): Promise<Findings> =>
  withDatabase(context, async ({ pool, secrets }) => {
    const bar = progressBar(context, 'verifying');
    const { events, blocks, partitions, faults } = await verifyLog(pool, bar.update);
    bar.end();
    const checkpoints = [...(await readCheckpoints(pool)), ...given];
    const against: string[] = [];
    for (const checkpoint of checkpoints)
      against.push(...(await checkCheckpoint(pool, checkpoint, secrets.biscuitPrivateKeys)));
    return {
      what: 'log',
      events,
      blocks,
      partitions,
      faults: faults.map((fault) => ({
        ...fault,
        text: `log partition ${fault.partition}: the domain event at position ${fault.position} ${fault.what}`,
      })),
      checkpoints: checkpoints.length,
      against,
    };
  });

/** Ends at the first fault: what follows it in the file proves nothing any more. */
const verifyExport = async (
  context: CommandContext,
  path: string,
  checkpoints: readonly SignedCheckpoint[],
  publicKeys: PublicKeys | undefined,
): Promise<Findings> => {
  let done = 0;
  let blocks = 0;
  let partitions = 0;
  const bar = progressBar(context, 'verifying');
  try {
    const { header, blocks: read, summary } = await openExport(path, { checkpoints, publicKeys });
    partitions = header.partitions.length;
    const total = countOf(header.partitions);
    for await (const { events } of read()) {
      done += events.length;
      blocks += 1;
      bar.update(done, total);
    }
    bar.end();
    const { checkpoints: compared, checkpointFindings: against } = await summary();
    return { what: 'export', events: done, blocks, partitions, faults: [], checkpoints: compared, against };
  } catch (error) {
    if (!(error instanceof LogFault)) throw error;
    const { message: text, partition, position } = error;
    const fault = {
      ...(partition === undefined ? {} : { partition }),
      ...(position === undefined ? {} : { position }),
      text,
    };
    return { what: 'export', events: done, blocks, partitions, faults: [fault], checkpoints: 0, against: [] };
  }
};

const publicKeyOf = (text: string): [string, KeyObject] => {
  const [, id, key] = /^(.+):(whpk_[A-Za-z0-9+/]{43}=)$/.exec(text) ?? [];
  if (id === undefined || key === undefined)
    throw new UsageError(`--public-key takes ID:whpk_..., as /.well-known/posthorn-keys.json shows them, not ${text}.`);
  return [id, publicKeyOfWhpk(key)];
};

const readCheckpointFile = async (path: string): Promise<SignedCheckpoint> =>
  JSON.parse(await readFile(path, 'utf8')) as SignedCheckpoint;

export const auditCheckpointCommand: Command = {
  name: 'audit checkpoint',
  summary: 'Sign the state of the log, to be kept elsewhere.',
  usage: `posthorn audit checkpoint > checkpoint.json

Signs the positions and hashes of all log partitions with the first key of POSTHORN_BISCUIT_PRIVATE_KEYS and prints the
statement. Kept on another machine it shows a log that was rewritten or cut since: \`posthorn audit verify --checkpoint FILE\`.
Posthorn itself signs one every hour and at every orderly stop.`,
  run: async (context) => {
    parseArgs({ args: [...context.args], options: { json: { type: 'boolean' } } });
    return withDatabase(context, async ({ pool, secrets }) => {
      const [key] = secrets.biscuitPrivateKeys;
      if (!key) throw new Error('POSTHORN_BISCUIT_PRIVATE_KEYS names no key.');
      context.out(JSON.stringify(await signCheckpoint(pool, key, new Date()), null, 2));
      return EXIT.done;
    });
  },
};
