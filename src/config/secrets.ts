import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigError } from './load.ts';
import { configSchema } from './schema.ts';
import type { NamedKey } from './values.ts';

export type Secrets = {
  readonly masterKey: string;
  readonly biscuitPrivateKeys: readonly NamedKey[];
  readonly encryptionKeys: readonly NamedKey[];
};

const FIELDS = {
  masterKey: 'POSTHORN_MASTER_KEY',
  biscuitPrivateKeys: 'POSTHORN_BISCUIT_PRIVATE_KEYS',
  encryptionKeys: 'POSTHORN_ENCRYPTION_KEYS',
} as const;

/** As kept in the file: each one the text that its variable would hold. */
const storedSchema = configSchema.pick({ masterKey: true, biscuitPrivateKeys: true, encryptionKeys: true }).required();

/**
 * The keys from the environment; those missing there are made once and kept in `<dataDir>/secrets.json` when the database is
 * embedded. With a database of one's own they must be given: several processes have to agree on them.
 */
export const loadOrCreateSecrets = (dataDir: string, config: Config): Secrets => {
  const { masterKey, biscuitPrivateKeys, encryptionKeys } = config;
  if (masterKey !== undefined && biscuitPrivateKeys !== undefined && encryptionKeys !== undefined) {
    return { masterKey, biscuitPrivateKeys, encryptionKeys };
  }
  if (config.databaseUrl !== undefined) {
    const missing = Object.entries(FIELDS).find(([field]) => config[field as keyof typeof FIELDS] === undefined);
    const variable = missing?.[1] ?? '';
    throw new ConfigError(
      variable,
      `${variable} is missing: with DATABASE_URL it must be given, the same for every process.`,
    );
  }
  const stored = loadOrCreate(dataDir);
  return {
    masterKey: masterKey ?? stored.masterKey,
    biscuitPrivateKeys: biscuitPrivateKeys ?? stored.biscuitPrivateKeys,
    encryptionKeys: encryptionKeys ?? stored.encryptionKeys,
  };
};

const loadOrCreate = (dataDir: string): Secrets => {
  const path = join(dataDir, 'secrets.json');
  const found = read(path);
  if (found !== undefined) return found;
  mkdirSync(dataDir, { recursive: true });
  createOnce(path, generate());
  const made = read(path);
  if (made === undefined) throw new Error(`${path} went away while it was being made.`);
  return made;
};

const generate = () => ({
  masterKey: randomUUID(),
  biscuitPrivateKeys: `1:${randomBytes(32).toString('hex')}`,
  encryptionKeys: `1:${randomBytes(32).toString('base64')}`,
});

/** A complete file or none, whoever is killed; of two processes the first one's secrets count. */
const createOnce = (path: string, secrets: Readonly<Record<string, string>>): void => {
  const temporary = `${path}.${randomUUID()}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(temporary, path); // Refuses an existing name, unlike rename.
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  const directory = openSync(join(path, '..'), 'r');
  fsyncSync(directory); // Lost keys after a power loss would make the data unreadable.
  closeSync(directory);
};

const read = (path: string): Secrets | undefined => {
  try {
    const text = readFileSync(path, 'utf8');
    chmodSync(path, 0o600); // A restored backup may have come back readable for all.
    return storedSchema.parse(JSON.parse(text));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const text = `POSTHORN_DATA_DIR holds an unreadable secrets file, ${path}: restore it, or give its keys in the environment.`;
    throw new ConfigError('POSTHORN_DATA_DIR', text, { cause });
  }
};
