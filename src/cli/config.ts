import { parseArgs } from 'node:util';
import { describeConfig } from '../config/describe.ts';
import { loadConfig } from '../config/load.ts';
import { configurationReference } from '../config/reference.ts';
import { type Command, EXIT } from './command.ts';
import { table } from './table.ts';

export const configCommand: Command = {
  name: 'config',
  summary: 'Show every setting, its value and where that comes from.',
  usage: `posthorn config [--json | --reference]

Secrets are masked; --reference prints the page of all settings instead. A wrong value is named and ends with exit code 2, as it would keep \`posthorn serve\` from starting.`,
  run: async ({ env, args, out }) => {
    const { values } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, reference: { type: 'boolean' } },
    });
    if (values.reference) {
      out(configurationReference().trimEnd());
      return EXIT.done;
    }
    loadConfig(env);
    const variables = describeConfig(env);
    out(
      values.json
        ? JSON.stringify(variables, null, 2)
        : table([
            ['VARIABLE', 'VALUE', 'FROM', 'MEANING'],
            ...variables.map(({ variable, value, origin, description }) => [
              variable,
              value ?? '-',
              origin,
              description,
            ]),
          ]),
    );
    return EXIT.done;
  },
};
