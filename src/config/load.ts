import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { configSchema, type Variable, variables } from './schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

type Parsed = z.output<typeof configSchema>;
type QuotaField = Extract<keyof Parsed, `quota${string}`>;

/** Durations are in milliseconds, paths absolute. Keys that are undefined come from `loadOrCreateSecrets`. */
export type Config = Readonly<
  Omit<Parsed, QuotaField | 'publicUrl' | 'mailDir'> & {
    publicUrl: string;
    mailDir: string;
    quotas: Readonly<{
      enabled: boolean;
      members: number;
      applications: number;
      eventsPerDay: number;
      retentionDays: number;
      subscriptions: number;
      eventTypes: number;
    }>;
  }
>;

/** A wrong or missing value: one sentence with the name of the variable, for the person who starts the process. */
export class ConfigError extends Error {
  readonly variable: string;

  constructor(variable: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
    this.variable = variable;
  }
}

/** Reads and checks everything at once; throws a ConfigError for the first wrong value. An empty value counts as absent. */
export const loadConfig = (env: Environment): Config => {
  const texts = Object.fromEntries(fields().map(([field, variable]) => [field, textFor(variable, env)]));
  const result = configSchema.safeParse(texts);
  if (!result.success) throw refusal(String(result.error.issues[0]?.path[0]), env);
  const {
    quotas: enabled,
    quotaMembers: members,
    quotaApplications: applications,
    quotaEventsPerDay: eventsPerDay,
    quotaRetentionDays: retentionDays,
    quotaSubscriptions: subscriptions,
    quotaEventTypes: eventTypes,
    ...config
  } = result.data;
  const dataDir = resolve(config.dataDir);
  return {
    ...config,
    dataDir,
    mailDir: config.mailDir === undefined ? join(dataDir, 'mail') : resolve(config.mailDir),
    publicUrl: (config.publicUrl ?? localUrl(config.host, config.port)).replace(/\/+$/, ''),
    quotas: { enabled, members, applications, eventsPerDay, retentionDays, subscriptions, eventTypes },
  };
};

/** Every field of the schema with its variable, in order. */
export const fields = (): [keyof Parsed, Variable][] =>
  Object.entries(configSchema.shape).map(([field, type]) => {
    const variable = variables.get(type);
    if (variable === undefined) throw new Error(`The configuration field ${field} names no variable.`);
    return [field as keyof Parsed, variable];
  });

/** The text in the environment, under the first of the names that is set to something. */
export const givenText = ({ variable, alias }: Variable, env: Environment): string | undefined =>
  [variable, ...(alias === undefined ? [] : [alias])]
    .map((name) => env[name]?.trim())
    .find((text) => text !== undefined && text !== '');

const textFor = (variable: Variable, env: Environment): string | undefined =>
  givenText(variable, env) ?? variable.default ?? undefined;

const localUrl = (host: string, port: number): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

const refusal = (field: string, env: Environment): ConfigError => {
  const about = fields().find(([name]) => name === field)?.[1];
  if (about === undefined) throw new Error(`No variable for the configuration field ${field}.`);
  const { variable, alias, secret, expected } = about;
  const name = alias !== undefined && !env[variable]?.trim() ? alias : variable;
  const shown = secret === undefined ? ` ${JSON.stringify(textFor(about, env))}` : '';
  return new ConfigError(variable, `${name} has the wrong value${shown}: it must be ${expected}.`);
};
