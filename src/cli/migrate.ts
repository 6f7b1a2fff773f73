import { parseArgs } from 'node:util';
import { prepareDatabase } from '../runtime/open-database.ts';
import { type Command, EXIT } from './command.ts';
import { withDatabase } from './database.ts';

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Bring the database up to date, as its owner.',
  usage: `posthorn migrate [--json]

Applies the migrations that are missing, makes the role posthorn_app and, the first time, the log partitions.
\`posthorn serve\` does the same at every start; run it on its own where the service may not own its database.`,
  run: async (context) => {
    const { values } = parseArgs({ args: [...context.args], options: { json: { type: 'boolean' } } });
    return withDatabase(context, async ({ url, config }) => {
      const applied: string[] = [];
      const { instanceId, partitions } = await prepareDatabase(url, config, (message) => applied.push(message));
      context.out(
        values.json
          ? JSON.stringify({ instance_id: instanceId, partitions, messages: applied })
          : [...applied, `The database is up to date: instance ${instanceId} with ${partitions} log partitions.`].join(
              '\n',
            ),
      );
      return EXIT.done;
    });
  },
};
