import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { checkCheckpoint, readCheckpoints, type SignedCheckpoint, signCheckpoint } from '../eventstore/signed-heads.ts';
import { verifyLog } from '../eventstore/verify.ts';
import { type Command, EXIT } from './command.ts';
import { withDatabase } from './database.ts';
import { progressBar } from './progress.ts';

export const auditVerifyCommand: Command = {
  name: 'audit verify',
  summary: 'Prove that the log is as it was appended.',
  usage: `posthorn audit verify [--checkpoint FILE]... [--json]

Recomputes the hash chain of every log partition and compares it with all signed checkpoints: those kept beside the log and
those given as files (made by \`posthorn audit checkpoint\`). Names the position of whatever does not fit. Appends may go on.

  --checkpoint FILE   a signed checkpoint that was kept elsewhere; may be given several times
  --json              the findings as JSON

Exit code 0 when everything fits, 1 when something does not.`,
  run: async (context) => {
    const { values } = parseArgs({
      args: [...context.args],
      options: { json: { type: 'boolean' }, checkpoint: { type: 'string', multiple: true } },
    });
    const given = await Promise.all((values.checkpoint ?? []).map(readCheckpointFile));
    return withDatabase(context, async ({ pool, secrets }) => {
      const bar = progressBar(context, 'verifying');
      const verification = await verifyLog(pool, bar.update);
      bar.end();
      const checkpoints = [...(await readCheckpoints(pool)), ...given];
      const against: string[] = [];
      for (const checkpoint of checkpoints)
        against.push(...(await checkCheckpoint(pool, checkpoint, secrets.biscuitPrivateKeys)));
      const isSound = verification.faults.length === 0 && against.length === 0;
      const { events, blocks, partitions, faults } = verification;
      context.out(
        values.json
          ? JSON.stringify(
              {
                is_sound: isSound,
                events,
                blocks,
                partitions,
                faults,
                checkpoints: checkpoints.length,
                checkpoint_findings: against,
              },
              null,
              2,
            )
          : [
              ...faults.map(
                ({ partition, position, what }) =>
                  `log partition ${partition}: the domain event at position ${position} ${what}`,
              ),
              ...against,
              isSound
                ? `The log is sound: ${events} domain events in ${blocks} blocks over ${partitions} partitions, ${checkpoints.length} signed checkpoints.`
                : `The log does NOT verify: ${faults.length + against.length} findings.`,
            ].join('\n'),
      );
      return isSound ? EXIT.done : EXIT.failed;
    });
  },
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
