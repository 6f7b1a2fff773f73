import { Resolver } from 'node:dns/promises';
import { EgressError, errorCode } from './errors.ts';

export type ResolverOptions = {
  /** `127.0.0.1:5353`; the system's own when empty. */
  readonly servers?: readonly string[] | undefined;
  readonly deadlineMs?: number;
  readonly entriesMax?: number;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
};
export type NameResolver = {
  /** Complete names only: no search domain is ever appended. Throws an EgressError of class `dns`. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  readonly close: () => void;
};

export const ADDRESSES_MAX = 16;
const POSITIVE_MS_MAX = 300_000;
const NEGATIVE_MS_MAX = 30_000;
/** Silence and SERVFAIL may be our own resolver's trouble, and should not outlast it. */
const TROUBLE_MS_MAX = 5_000;

type Answer = { readonly addresses: readonly string[]; readonly ttlMs: number };
type Entry = Answer & { readonly until: number };

/**
 * Asks for A and AAAA by itself, so that what is vetted is what is connected to. The system's `lookup` would read
 * /etc/hosts and search domains, and hold one of four threads for as long as a hostile name server likes.
 */
export const createResolver = (options: ResolverOptions = {}): NameResolver => {
  const { servers = [], deadlineMs = 3_000, entriesMax = 10_000, now = () => performance.now() } = options;
  // The deadline is ours; these only make c-ares give up on what nobody awaits any longer.
  const dns = new Resolver({ timeout: Math.ceil(deadlineMs / 3), maxTimeout: Math.ceil(deadlineMs / 3), tries: 3 });
  if (servers.length > 0) dns.setServers(servers);
  const cache = new Map<string, Entry>();
  const underWay = new Map<string, Promise<Answer>>();

  const remember = (name: string, answer: Answer): void => {
    cache.delete(name);
    if (answer.ttlMs <= 0) return;
    const oldest = cache.size >= entriesMax ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest);
    cache.set(name, { ...answer, until: now() + answer.ttlMs });
  };

  const ask = async (name: string): Promise<Answer> => {
    try {
      const answer = await queryBoth(dns, name, deadlineMs);
      remember(name, answer);
      return answer;
    } finally {
      underWay.delete(name);
    }
  };

  const resolve = async (name: string): Promise<readonly string[]> => {
    const cached = cache.get(name);
    let answer: Answer | undefined = cached !== undefined && cached.until > now() ? cached : undefined;
    if (answer === undefined) {
      const pending = underWay.get(name) ?? ask(name);
      underWay.set(name, pending);
      answer = await pending;
    }
    // One text for every cause: it must not tell a tenant which names exist inside.
    if (answer.addresses.length === 0) throw new EgressError('dns', 'The host name could not be resolved.');
    return answer.addresses;
  };

  return { resolve, close: () => dns.cancel() };
};

/** Whatever has come by the deadline is used: a name server that drops AAAA queries is common. */
const queryBoth = (dns: Resolver, name: string, deadlineMs: number): Promise<Answer> =>
  new Promise((resolve) => {
    const answers: (Answer | undefined)[] = [undefined, undefined];
    const finish = (): void => {
      clearTimeout(timer);
      resolve(merge(answers));
    };
    const timer = setTimeout(finish, deadlineMs);
    const take = (slot: number) => (answer: Answer) => {
      answers[slot] = answer;
      if (answers.every((each) => each !== undefined)) finish();
    };
    dns.resolve4(name, { ttl: true }).then(positive, negative).then(take(0));
    dns.resolve6(name, { ttl: true }).then(positive, negative).then(take(1));
  });

const positive = (records: readonly { address: string; ttl: number }[]): Answer => ({
  addresses: records.slice(0, ADDRESSES_MAX).map(({ address }) => address),
  ttlMs: Math.min(POSITIVE_MS_MAX, ...records.slice(0, ADDRESSES_MAX).map(({ ttl }) => ttl * 1_000)),
});

const negative = (error: unknown): Answer => {
  const code = errorCode(error);
  const isAnswer = code === 'ENOTFOUND' || code === 'ENODATA';
  return { addresses: [], ttlMs: isAnswer ? NEGATIVE_MS_MAX : TROUBLE_MS_MAX };
};

/** Families take turns, IPv4 first, so that the few addresses we try are not all of one that has no route. */
const merge = (answers: readonly (Answer | undefined)[]): Answer => {
  const [four, six] = answers.map((answer) => answer ?? { addresses: [], ttlMs: TROUBLE_MS_MAX });
  const found = [four, six].filter((answer) => answer !== undefined && answer.addresses.length > 0);
  const used = found.length > 0 ? found : [four, six];
  const addresses: string[] = [];
  for (let index = 0; index < ADDRESSES_MAX; index += 1) {
    for (const answer of used) {
      const address = answer?.addresses[index];
      if (address !== undefined && addresses.length < ADDRESSES_MAX) addresses.push(address);
    }
  }
  return { addresses, ttlMs: Math.min(...used.map((answer) => answer?.ttlMs ?? 0)) };
};
