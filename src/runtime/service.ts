import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { createAppPool } from '../eventstore/pool.ts';
import { refuseReplayed } from '../eventstore/replayed.ts';
import { signCheckpoint } from '../eventstore/signed-heads.ts';
import { asyncProjections } from '../projections/index.ts';
import { checkEncryptionKeys } from '../vault/check.ts';
import { type ApiRole, createApiRole } from './api.ts';
import { createLogger } from './logger.ts';
import { type Node, startNode } from './node.ts';

/** Between two signed statements of the log's heads. */
const CHECKPOINT_MS = 3_600_000;

export type ServiceOptions = {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly url: string;
  readonly partitions: number;
  readonly isAlone: boolean;
  readonly version: string;
  readonly logger?: Logger;
};

export type Service = {
  /** Where the API listens; undefined without that role. */
  readonly address: string | undefined;
  readonly node: Node;
  readonly stop: () => Promise<void>;
};

const checkKeys = async (url: string, { encryptionKeys }: Secrets): Promise<void> => {
  const pool = createAppPool({ url, max: 1, name: 'start' });
  try {
    await checkEncryptionKeys(pool, encryptionKeys);
  } finally {
    await pool.end();
  }
};

/**
 * Starts the roles of this process, and stops them in the order that loses nothing. Rejects with ReplayedDatabase on one that
 * holds a log replayed for an audit, and without a key that wraps data keys, whatever the roles.
 */
export const startService = async (options: ServiceOptions): Promise<Service> => {
  const { config, secrets, url, partitions, isAlone, version } = options;
  const logger = options.logger ?? createLogger(config);
  await refuseReplayed(url);
  await checkKeys(url, secrets);
  const node = await startNode({
    config,
    secrets,
    url,
    partitions,
    isAlone,
    version,
    logger,
    roles: config.roles,
    projections: asyncProjections,
  });
  let api: ApiRole | undefined;
  let address: string | undefined;
  try {
    if (config.roles.includes('api')) {
      api = await createApiRole(options, node, logger);
      address = await api.app.listen({ host: config.host, port: config.port });
    }
  } catch (error) {
    await api?.stop();
    await node.stop();
    throw error;
  }
  const [signingKey] = secrets.biscuitPrivateKeys;
  const checkpoint = async (): Promise<void> => {
    if (signingKey) await signCheckpoint(node.core.queryPool, signingKey, new Date());
  };
  const timer = setInterval(() => checkpoint().catch(node.core.onError), CHECKPOINT_MS);
  return {
    address,
    node,
    stop: async () => {
      clearInterval(timer);
      // Requests under way are answered first: what they append is still delivered or left in the work list.
      await api?.app.close();
      await api?.stop();
      if (config.roles.includes('api')) await checkpoint().catch(node.core.onError);
      await node.stop();
    },
  };
};
