import { createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import type { Pool } from 'pg';
import { readInstance } from './initialise.ts';

/** The state of every log partition at one moment, signed: kept elsewhere, it shows a log that was rewritten since. */
export type SignedCheckpoint = {
  readonly checkpointId: string;
  /** The exact text that was signed. */
  readonly heads: string;
  readonly keyId: string;
  /** Ed25519 over the UTF-8 bytes of `heads`, base64. */
  readonly signature: string;
  readonly signedAt: string;
};

type SignedHeads = {
  readonly instanceId: string;
  readonly signedAt: string;
  readonly heads: readonly { readonly partition: number; readonly position: number; readonly hash: string }[];
};

/** DER prefix of a PKCS#8 Ed25519 key (RFC 8410 section 7), before the 32 bytes of the seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export type SigningKey = { readonly id: string; readonly key: Buffer };

const privateKeyOf = ({ key }: SigningKey): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, key]), format: 'der', type: 'pkcs8' });

const READ_HEADS = `SELECT partition_no, position::float8 AS position, encode(hash, 'hex') AS hash FROM log_head ORDER BY partition_no`;
const KEEP = `
  INSERT INTO log_checkpoint (checkpoint_id, heads, key_id, signature, signed_at)
  VALUES ($1, $2::json, $3, decode($4, 'base64'), $5)`;
const READ_KEPT = `
  SELECT checkpoint_id, heads::text AS heads, key_id, signature, signed_at
  FROM log_checkpoint ORDER BY signed_at, checkpoint_id`;
const BLOCK_HASH = `SELECT encode(block_hash, 'hex') AS hash FROM domain_event WHERE partition_no = $1 AND position = $2`;

/** Signs all heads as they stand, keeps the statement beside the log and returns it to be kept elsewhere too. */
export const signCheckpoint = async (pool: Pool, key: SigningKey, now: Date): Promise<SignedCheckpoint> => {
  const { instanceId } = await readInstance(pool);
  const { rows } = await pool.query<{ partition_no: number; position: number; hash: string }>(READ_HEADS);
  const signed: SignedHeads = {
    instanceId,
    signedAt: now.toISOString(),
    heads: rows.map((row) => ({ partition: row.partition_no, position: row.position, hash: row.hash })),
  };
  const heads = JSON.stringify(signed);
  const signature = sign(null, Buffer.from(heads), privateKeyOf(key)).toString('base64');
  const checkpoint = { checkpointId: randomUUID(), heads, keyId: key.id, signature, signedAt: signed.signedAt };
  await pool.query(KEEP, [checkpoint.checkpointId, heads, key.id, signature, signed.signedAt]);
  return checkpoint;
};

/** The checkpoints kept beside the log, oldest first. */
export const readCheckpoints = async (pool: Pick<Pool, 'query'>): Promise<SignedCheckpoint[]> => {
  const { rows } = await pool.query<{
    checkpoint_id: string;
    heads: string;
    key_id: string;
    signature: Buffer;
    signed_at: Date;
  }>(READ_KEPT);
  return rows.map((row) => ({
    checkpointId: row.checkpoint_id,
    heads: row.heads,
    keyId: row.key_id,
    signature: row.signature.toString('base64'),
    signedAt: row.signed_at.toISOString(),
  }));
};

/** Ed25519 public keys by their id. */
export type PublicKeys = ReadonlyMap<string, KeyObject>;

export const publicKeysOf = (keys: readonly SigningKey[]): PublicKeys =>
  new Map(keys.map((key) => [key.id, createPublicKey(privateKeyOf(key))]));

/** The heads that a checkpoint speaks of; only of use once its signature is known to be genuine. */
export const headsOf = ({ heads }: SignedCheckpoint): SignedHeads => JSON.parse(heads) as SignedHeads;

/** The hash of a log at a position; `unknown` when the log at hand does not reach back that far and can say neither. */
export type HashAt = (partition: number, position: number) => Promise<string | undefined> | string | undefined;
export const UNKNOWN_HASH = 'unknown';

/**
 * What speaks against a checkpoint: a signature that does not fit, another instance, or a log partition that does not have
 * the hash it had then. Empty when nothing does. A key that is not in `keys` is itself a finding; `keysAre` says whose.
 */
export const judgeCheckpoint = async (
  checkpoint: SignedCheckpoint,
  { keys, keysAre, instanceId, hashAt }: { keys: PublicKeys; keysAre: string; instanceId: string; hashAt: HashAt },
): Promise<string[]> => {
  const name = `Checkpoint ${checkpoint.checkpointId}`;
  const key = keys.get(checkpoint.keyId);
  if (!key) return [`${name} is signed with key ${checkpoint.keyId}, which is not among ${keysAre}.`];
  if (!verify(null, Buffer.from(checkpoint.heads), key, Buffer.from(checkpoint.signature, 'base64')))
    return [`${name} does not carry a genuine signature of key ${checkpoint.keyId}.`];
  const signed = headsOf(checkpoint);
  if (signed.instanceId !== instanceId)
    return [`${name} belongs to instance ${signed.instanceId}, this log to ${instanceId}.`];
  const findings: string[] = [];
  for (const { partition, position, hash } of signed.heads) {
    if (position === 0) continue;
    const found = await hashAt(partition, position);
    if (found !== hash && found !== UNKNOWN_HASH)
      findings.push(
        `${name}: log partition ${partition} had hash ${hash} at position ${position}, and has ${found ?? 'none'} now.`,
      );
  }
  return findings;
};

/** The same against the log of a database. */
export const checkCheckpoint = async (
  pool: Pick<Pool, 'query'>,
  checkpoint: SignedCheckpoint,
  keys: readonly SigningKey[],
): Promise<string[]> => {
  const { instanceId } = await readInstance(pool);
  return judgeCheckpoint(checkpoint, {
    keys: publicKeysOf(keys),
    keysAre: 'POSTHORN_BISCUIT_PRIVATE_KEYS',
    instanceId,
    hashAt: async (partition, position) => {
      const { rows } = await pool.query<{ hash: string | null }>(BLOCK_HASH, [partition, position]);
      return rows[0]?.hash ?? undefined;
    },
  });
};
