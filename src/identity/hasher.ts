import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { normalisePassword, PASSWORD_LIMITS } from './passwords.ts';

/** OWASP's password storage cheat sheet, first choice for argon2id; some 35 ms on the machine of docs/performance.md. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Each takes 19 MiB and a thread of those that files and names are read with. */
const CONCURRENCY_MAX = 2;
const QUEUE_MAX = 64;

/** As many are hashing and waiting as may; the caller tells the client to come again (429). */
export class PasswordHashingBusy extends Error {
  constructor() {
    super('Too many passwords are being checked at the moment. Try again in some seconds.');
    this.name = 'PasswordHashingBusy';
  }
}

export type PasswordHasher = {
  /** A PHC string: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. Rejects with PasswordHashingBusy, as all here do. */
  readonly hash: (password: string) => Promise<string>;
  /** Rejects with a RangeError when the hash is none of ours: that is a fault, and no wrong password. */
  readonly verify: (hash: string, password: string) => Promise<boolean>;
  /** False after as long as `verify` takes, for people that are not known. */
  readonly verifyNobody: (password: string) => Promise<false>;
  /** True when the hash was made at another cost than today's: make it anew when the password is at hand. */
  readonly needsRehash: (hash: string) => boolean;
};

const derive = promisify(argon2);

/** Hashes off the event loop, at most `concurrency` at once (default: one for each core, at most 2), at most `queue` waiting. */
export const createPasswordHasher = ({
  concurrency = Math.min(CONCURRENCY_MAX, availableParallelism()),
  queue = QUEUE_MAX,
}: {
  readonly concurrency?: number;
  readonly queue?: number;
} = {}): PasswordHasher => {
  const inTurn = limited(concurrency, queue);

  const tagOf = (password: string, { cost, salt, tag }: Pick<Hash, 'cost' | 'salt' | 'tag'>): Promise<Buffer> =>
    inTurn(() =>
      derive('argon2id', {
        message: bytesOf(password),
        nonce: salt,
        tagLength: tag.length,
        ...cost,
      } satisfies Argon2Parameters),
    );

  const verify = async (hash: string, password: string): Promise<boolean> => {
    const parsed = parseHash(hash);
    const tag = await tagOf(password, parsed);
    return (
      timingSafeEqual(tag, parsed.tag) && Buffer.byteLength(normalisePassword(password)) <= PASSWORD_LIMITS.bytesMax
    );
  };

  return {
    hash: async (password) => {
      const salt = randomBytes(SALT_BYTES);
      const tag = await tagOf(password, { cost: COST, salt, tag: Buffer.alloc(TAG_BYTES) });
      return textOf({ cost: COST, salt, tag });
    },
    verify,
    verifyNobody: async (password) => {
      await verify(NOBODY, password);
      return false;
    },
    needsRehash: (hash) => {
      const { cost, salt, tag } = parseHash(hash);
      const isCostly =
        cost.memory === COST.memory && cost.passes === COST.passes && cost.parallelism === COST.parallelism;
      return !isCostly || salt.length !== SALT_BYTES || tag.length !== TAG_BYTES;
    },
  };
};

/** What is longer than a password may be is cut, so that it costs no more; it is refused all the same. */
const bytesOf = (password: string): Buffer =>
  Buffer.from(normalisePassword(password)).subarray(0, PASSWORD_LIMITS.bytesMax + 1);

type Cost = { readonly memory: number; readonly passes: number; readonly parallelism: number };
type Hash = { readonly cost: Cost; readonly salt: Buffer; readonly tag: Buffer };

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

/** The PHC string format; 19 is version 1.3 of Argon2, the only one there is. */
const textOf = ({ cost: { memory, passes, parallelism }, salt, tag }: Hash): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;

/** Stored hashes that cost more than this are not ours. */
const COST_MAX = { memory: 1_048_576, passes: 16, parallelism: 16 } as const;
const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/;

const parseHash = (text: string): Hash => {
  const [, memory, passes, parallelism, salt, tag] = PHC.exec(text) ?? [];
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const isWithin =
    cost.memory >= 8 * cost.parallelism &&
    cost.memory <= COST_MAX.memory &&
    cost.passes >= 1 &&
    cost.passes <= COST_MAX.passes &&
    cost.parallelism >= 1 &&
    cost.parallelism <= COST_MAX.parallelism;
  if (salt === undefined || tag === undefined || !isWithin)
    throw new RangeError('A stored password hash is not of the form $argon2id$v=19$m=...,t=...,p=...$salt$hash.');
  return { cost, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') };
};

/** Of no password: the chance that one fits is that of guessing 32 bytes. */
const NOBODY = textOf({ cost: COST, salt: Buffer.alloc(SALT_BYTES, 1), tag: Buffer.alloc(TAG_BYTES, 1) });

const limited = (concurrency: number, queue: number) => {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(task: () => Promise<T>): Promise<T> => {
    if (running >= concurrency) {
      if (waiting.length >= queue) throw new PasswordHashingBusy();
      await new Promise<void>((resolve) => waiting.push(resolve)); // Whoever ends hands its place on.
    } else running += 1;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
};
