import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { operation } from '../http/operation.ts';

/** What the environment may set: of a setting everything but its value. */
export type SettingDescription = {
  readonly variable: string;
  readonly description: string;
  readonly default: string | null;
  readonly isSensitive: boolean;
};

const EnvironmentVariable = z.object({
  name: z.string(),
  env_var: z.string(),
  description: z.string(),
  default: z.string().nullable(),
  sensitive: z.boolean(),
  required: z.boolean().describe('None is: what has no default is made or left out.'),
  group: z.string(),
});

const nameOf = (variable: string): string => variable.replace(/^POSTHORN_/, '').toLowerCase();

const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/QUOTA/, 'quotas'],
  [/RATE_LIMIT/, 'rate limits'],
  [/SMTP|MAIL/, 'mail'],
  [/KEY/, 'keys'],
  [/DATABASE|PARTITIONS|DATA_DIR|LEASE|RETENTION/, 'data'],
  [/TARGET|DNS|ATTEMPT|RETRY|CONCURRENCY|SIGNATURE|RECEIVER/, 'delivery'],
];
const groupOf = (variable: string): string => GROUPS.find(([pattern]) => pattern.test(variable))?.[1] ?? 'service';

/** What may be set, for whoever runs an instance; values are shown nowhere. */
export const environmentRoutes =
  ({ variables }: Pick<ApiDeps, 'variables'>): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/environment_variables',
      operation(
        {
          id: 'listEnvironmentVariables',
          tag: 'Instance',
          isPublic: true,
          summary: 'List the settings of an instance',
        },
        { response: { 200: z.array(EnvironmentVariable) } },
      ),
      async () =>
        variables.map(({ variable, description, default: standard, isSensitive }) => ({
          name: nameOf(variable),
          env_var: variable,
          description,
          default: standard,
          sensitive: isSensitive,
          required: false,
          group: groupOf(variable),
        })),
    );
  };
