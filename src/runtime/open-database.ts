import { type Config, ConfigError } from '../config/load.ts';
import { loadOrCreateSecrets, type Secrets } from '../config/secrets.ts';
import { findRunningEmbeddedPostgres, startEmbeddedPostgres } from '../embedded-postgres/start.ts';
import { type Instance, initialise } from '../eventstore/initialise.ts';
import { migrate } from '../eventstore/migrate.ts';

export type OpenDatabase = {
  /** The owner's connection string; processes narrow themselves to `posthorn_app` on every connection. */
  readonly url: string;
  readonly secrets: Secrets;
  /** Where the data lies; undefined with a database of one's own. */
  readonly dataDir: string | undefined;
  /** True when no other process can be using the database. */
  readonly isAlone: boolean;
  readonly stop: () => Promise<void>;
};

/**
 * Makes a database available: the one of `DATABASE_URL`, or the embedded one. With `attach` an embedded one that another
 * process runs is used as it is, which is what command-line tools want.
 */
export const openDatabase = async (
  config: Config,
  { log, attach = false }: { log: (message: string) => void; attach?: boolean },
): Promise<OpenDatabase> => {
  if (config.databaseUrl !== undefined) {
    const secrets = loadOrCreateSecrets(config.dataDir, config);
    return { url: config.databaseUrl, secrets, dataDir: undefined, isAlone: false, stop: async () => undefined };
  }
  const running = attach ? await findRunningEmbeddedPostgres(config.dataDir) : undefined;
  if (running !== undefined) {
    const secrets = loadOrCreateSecrets(config.dataDir, config);
    return { url: running, secrets, dataDir: config.dataDir, isAlone: false, stop: async () => undefined };
  }
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  const secrets = loadOrCreateSecrets(config.dataDir, config);
  return { url: server.url, secrets, dataDir: server.dataDir, isAlone: true, stop: () => server.stop() };
};

/** Brings the database up to date, as its owner. The number of partitions is that of the database from the first time on. */
export const prepareDatabase = async (
  url: string,
  config: Config,
  log: (message: string) => void,
): Promise<Instance> => {
  await migrate({ url, log });
  const instance = await initialise({ url, partitions: config.partitions });
  if (instance.partitions !== config.partitions && process.env.POSTHORN_PARTITIONS)
    throw new ConfigError(
      'POSTHORN_PARTITIONS',
      `POSTHORN_PARTITIONS is ${config.partitions}, but this database was created with ${instance.partitions}, which cannot be changed.`,
    );
  return instance;
};
