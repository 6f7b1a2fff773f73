import { parseArgs } from 'node:util';
import { createAppPool } from '../eventstore/pool.ts';
import { countDataKeys, rewrapDataKeys } from '../vault/rewrap.ts';
import { type Command, EXIT } from './command.ts';
import { withDatabase } from './database.ts';
import { table } from './table.ts';

export const keysRewrapCommand: Command = {
  name: 'keys rewrap',
  summary: 'Wrap all data keys with the first key of POSTHORN_ENCRYPTION_KEYS.',
  usage: `posthorn keys rewrap [--json]

To change the key without downtime: put the new one in front of POSTHORN_ENCRYPTION_KEYS, restart the processes one after the other
with both, run this, and take the old key out once no data key is wrapped by it. What is sealed is not written anew.`,
  run: async (context) => {
    const { values } = parseArgs({ args: [...context.args], options: { json: { type: 'boolean' } } });
    return withDatabase(context, async ({ url, secrets }) => {
      const pool = createAppPool({ url, max: 1, name: 'keys' });
      try {
        const rewrapped = await rewrapDataKeys(pool, secrets.encryptionKeys);
        const counts = await countDataKeys(pool);
        const keys = secrets.encryptionKeys.map(({ id }) => ({ id, data_keys: counts.get(id) ?? 0 }));
        context.out(
          values.json
            ? JSON.stringify({ rewrapped, keys })
            : [
                `${rewrapped} data keys were wrapped anew.`,
                table([['KEY', 'DATA KEYS'], ...keys.map(({ id, data_keys: of }): [string, number] => [id, of])]),
              ].join('\n'),
        );
        return EXIT.done;
      } finally {
        await pool.end();
      }
    });
  },
};
