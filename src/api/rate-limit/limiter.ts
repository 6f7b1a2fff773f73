import type { Ask, Buckets, Grant } from './buckets.ts';
import type { Limit } from './limit.ts';

/** A process borrows ahead what it used up in this time; of an idle key it holds nothing. */
const AHEAD_SECONDS = 0.1;
/** After which a share that was not used up is void. */
const SHARE_MS = 500;
/** An empty bucket is not asked again before this, nor before it has a token. */
const EMPTY_MS = 20;
/** The buckets are taken for away when they have not answered within this time, and asked again after the other. */
const DEADLINE_MS = 300;
const AWAY_MS = 1_000;
const KEYS_PER_STATEMENT = 200;
/** Decisions that wait for the buckets; more are refused unasked. */
const WAITING_MAX = 10_000;

export type Decision =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly retryAfterMs: number }
  /** The buckets do not answer: whether that opens or closes is for the caller to say. */
  | { readonly kind: 'unavailable' };

export const ALLOWED: Decision = { kind: 'allowed' };
const UNAVAILABLE: Decision = { kind: 'unavailable' };

type Waiter = { readonly n: number; readonly decide: (decision: Decision) => void };

/** What this process holds of one bucket. Times are in milliseconds of its own clock. */
type Share = {
  readonly key: string;
  readonly limit: Limit;
  tokens: number;
  validUntil: number;
  emptyUntil: number;
  /** Taken since the bucket was asked last. */
  used: number;
  askedAt: number;
  /** With fewer tokens than this more are borrowed, before they run out. */
  low: number;
  /** Whether the next statement asks for it. */
  isAsked: boolean;
  waiters: Waiter[];
};
/** One share's part in one statement. */
type Round = { readonly share: Share; readonly ask: Ask; readonly waiters: Waiter[] };

export type RateLimiter = {
  /** Takes `n` tokens of a bucket, or as many as it can ever hold; at once when this process has them. Never rejects. */
  readonly take: (key: string, limit: Limit, n?: number) => Decision | Promise<Decision>;
  /** Milliseconds until a bucket that was found empty is asked again; 0 when it was not. */
  readonly emptyFor: (key: string) => number;
};

/**
 * Token buckets shared by all processes of a database. Each process lives on small shares that it borrows from the buckets, in one
 * statement for all keys that need more and never two at the same time; a request whose key has a share asks nobody. All processes
 * together let through at most `burst + rate × time`, plus what each held when the time began: `rate × 0.1 s`.
 */
export const createRateLimiter = ({
  buckets,
  onError,
  now = () => performance.now(),
  keysMax = 50_000,
  deadlineMs = DEADLINE_MS,
}: {
  buckets: Pick<Buckets, 'borrow'>;
  onError: (error: unknown) => void;
  now?: () => number;
  keysMax?: number;
  /** How long the buckets may take to answer, in milliseconds. */
  deadlineMs?: number;
}): RateLimiter => {
  /** Those asked for longest ago come first. */
  const shares = new Map<string, Share>();
  const asking = new Set<Share>();
  let waiting = 0;
  let isFlushing = false;
  let awayUntil = 0;

  const shareOf = (key: string, limit: Limit): Share => {
    const known = shares.get(key);
    const fresh = { tokens: 0, validUntil: 0, emptyUntil: 0, used: 0, low: 0, isAsked: false };
    const share = known ?? { key, limit, ...fresh, askedAt: now(), waiters: [] };
    if (known) shares.delete(key);
    else if (shares.size >= keysMax) shares.delete(shares.keys().next().value ?? key);
    shares.set(key, share);
    return share;
  };

  const ask = (share: Share): void => {
    share.isAsked = true;
    asking.add(share);
    if (isFlushing) return;
    isFlushing = true;
    // What else this turn of the event loop needs comes along.
    setImmediate(() => void flush());
  };

  const decideAll = (waiters: Waiter[], decision: (n: number) => Decision): void => {
    for (const { n, decide } of waiters.splice(0)) {
      waiting -= 1;
      decide(decision(n));
    }
  };

  const roundOf = (share: Share, at: number): Round => {
    const { key, limit, waiters } = share;
    const { rate, burst } = limit;
    if (at >= share.validUntil) share.tokens = 0;
    const seconds = Math.max(0.001, (at - share.askedAt) / 1_000);
    const ahead = Math.floor(Math.min(rate, share.used / seconds) * AHEAD_SECONDS);
    const needed = waiters.reduce((sum, { n }) => sum + n, 0);
    const wanted = Math.min(burst, needed + Math.max(0, ahead - share.tokens));
    const least = Math.min(wanted, ...waiters.map(({ n }) => n));
    Object.assign(share, { isAsked: false, waiters: [], used: 0, askedAt: at, low: ahead / 2 });
    return { share, ask: { key, rate, burst, wanted, least }, waiters };
  };

  const nextRounds = (): Round[] => {
    const at = now();
    const next = [...asking].slice(0, KEYS_PER_STATEMENT);
    for (const share of next) asking.delete(share);
    return next.map((share) => roundOf(share, at)).filter(({ ask: { wanted } }) => wanted > 0);
  };

  const settle = ({ share, ask: { rate, burst }, waiters }: Round, grant: Grant | undefined): void => {
    const { granted = 0, fullInSeconds = 0 } = grant ?? {};
    const at = now();
    share.tokens += granted;
    share.validUntil = at + SHARE_MS;
    decideAll(waiters, (n) => {
      if (share.tokens >= n) {
        share.tokens -= n;
        share.used += n;
        return ALLOWED;
      }
      const retryAfterMs = Math.max(EMPTY_MS, Math.round(1_000 * (fullInSeconds - (burst - n) / rate)));
      if (n === 1) share.emptyUntil = at + retryAfterMs;
      return { kind: 'refused', retryAfterMs };
    });
  };

  const giveUp = (rounds: readonly Round[], until: number): void => {
    awayUntil = until;
    for (const { waiters } of rounds) decideAll(waiters, () => UNAVAILABLE);
    for (const share of asking) {
      share.isAsked = false;
      decideAll(share.waiters, () => UNAVAILABLE);
    }
    asking.clear();
  };

  const borrow = async (rounds: readonly Round[]): Promise<void> => {
    // Until the statement is over nothing else is asked: a database that hangs is not given more to do.
    const late = setTimeout(() => giveUp(rounds, Number.POSITIVE_INFINITY), deadlineMs);
    try {
      const grants = await buckets.borrow(rounds.map(({ ask }) => ask));
      awayUntil = 0;
      for (const round of rounds) settle(round, grants.get(round.share.key));
    } catch (error) {
      giveUp(rounds, now() + AWAY_MS);
      onError(error);
    } finally {
      clearTimeout(late);
    }
  };

  const flush = async (): Promise<void> => {
    while (asking.size > 0) {
      const rounds = nextRounds();
      if (rounds.length > 0) await borrow(rounds);
    }
    isFlushing = false;
  };

  return {
    take: (key, limit, n = 1) => {
      const known = shares.get(key);
      const at = now();
      if (known && known.tokens >= n && at < known.validUntil) {
        known.tokens -= n;
        known.used += n;
        if (known.tokens < known.low && !known.isAsked && at >= awayUntil) ask(known);
        return ALLOWED;
      }
      if (n === 0) return ALLOWED;
      if (known && n === 1 && at < known.emptyUntil) return { kind: 'refused', retryAfterMs: known.emptyUntil - at };
      if (at < awayUntil) return UNAVAILABLE;
      if (waiting >= WAITING_MAX) return { kind: 'refused', retryAfterMs: AWAY_MS };
      const share = shareOf(key, limit);
      waiting += 1;
      return new Promise((decide) => {
        share.waiters.push({ n: Math.min(n, limit.burst), decide });
        if (!share.isAsked) ask(share);
      });
    },
    emptyFor: (key) => Math.max(0, (shares.get(key)?.emptyUntil ?? 0) - now()),
  };
};
