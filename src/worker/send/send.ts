import { addressRules, type OwnEndpoint } from '../../domain/target/address.ts';
import { FORBIDDEN_HEADERS } from '../../domain/target/headers.ts';
import { parseTarget, type Target, type TargetRefusal, type TargetRules } from '../../domain/target/target.ts';
import type { BuiltInReceiver } from '../built-in-receiver/receiver.ts';
import { createConnector } from '../egress/connector.ts';
import type { Opening } from '../egress/opening.ts';
import { createResolver } from '../egress/resolver.ts';
import { Exchange, type Hand, type SendOutcome } from './exchange.ts';
import { type Failure, INVALID_HEADER } from './failure.ts';
import { createPools } from './pools.ts';

export type { ResponseHeaders, SendOutcome } from './exchange.ts';

export type SenderOptions = {
  /** Ranges outside the public space that may be reached, on any port and without TLS. */
  readonly allowCidrs?: readonly string[];
  /** Ranges inside it that may not: this host, its database. */
  readonly denyCidrs?: readonly string[];
  /** Where we and our database listen. */
  readonly ownEndpoints?: readonly OwnEndpoint[];
  readonly allowHttp?: boolean;
  /** Answers requests to its reserved host; without it that host is refused like any internal one. */
  readonly builtInReceiver?: BuiltInReceiver;
  readonly deniedPorts?: ReadonlySet<number>;
  /** `address:port`; the system's own when empty. */
  readonly dnsServers?: readonly string[];
  readonly dnsTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** Over DNS, connect, TLS, headers and body together. */
  readonly timeoutMs?: number;
  readonly responseBytesMax?: number;
  readonly connectionsPerOrigin?: number;
  readonly originsMax?: number;
  readonly userAgent?: string;
  /** Certificate authorities (PEM) in place of the built-in ones. */
  readonly ca?: string | readonly string[];
};
export type SendRequest = {
  readonly url: string;
  readonly method: string;
  /** A record, or names and values in turn. */
  readonly headers: Readonly<Record<string, string>> | readonly string[];
  readonly body: Buffer;
  readonly timeoutMs?: number;
};
export type Sender = {
  /** Rejects only for what is not the receiver's doing: a LocalFault, a closed sender, a bug. */
  readonly send: (request: SendRequest) => Promise<SendOutcome>;
  /** Ends when all that is in flight has. */
  readonly close: () => Promise<void>;
};

const TARGETS_MAX = 10_000;

/** Makes one request and reports what happened: no redirect is followed, nothing is sent twice or decompressed. */
export const createSender = (options: SenderOptions = {}): Sender => {
  const { timeoutMs = 15_000, responseBytesMax = 65_536, connectionsPerOrigin = 64, originsMax = 2_000 } = options;
  const addresses = addressRules(options);
  const { allowHttp = false, deniedPorts, builtInReceiver } = options;
  const targets = cachedTargets({
    addresses,
    allowHttp,
    deniedPorts,
    builtInReceiver: builtInReceiver !== undefined,
  });
  const resolver = createResolver({ servers: options.dnsServers, deadlineMs: options.dnsTimeoutMs ?? 3_000 });
  const hand: Hand = { dispatching: undefined, opened: undefined };
  const connect = createConnector({
    resolve: resolver.resolve,
    rules: addresses,
    timeoutMs: options.connectTimeoutMs ?? 5_000,
    ca: options.ca,
    builtInReceiver,
    ...connectionHooks(hand),
  });
  const pools = createPools({ connect, connectionsPerOrigin, originsMax });
  const own = ['user-agent', options.userAgent ?? 'Posthorn', 'accept', '*/*'];

  const exchange = async (request: SendRequest, target: Target, headers: string[]): Promise<SendOutcome> => {
    const { method, body } = request;
    const entry = pools.acquire(target.origin);
    try {
      return await new Promise((resolve, reject) => {
        const handler = new Exchange({ resolve, reject }, hand, request.timeoutMs ?? timeoutMs, responseBytesMax);
        hand.dispatching = handler;
        entry.pool.dispatch({ path: target.path, method, headers, body }, handler);
        hand.dispatching = undefined;
      });
    } finally {
      pools.release(entry);
    }
  };

  let closed = false;
  return {
    send: async (request) => {
      if (closed) throw new Error('The sender is closed: stop sending before closing it.');
      const target = targets(request.url);
      if (target.kind === 'refused') return refused({ reason: target.code, message: target.message });
      const headers = outgoingHeaders(request.headers, own);
      return headers === undefined ? refused(INVALID_HEADER) : exchange(request, target, headers);
    },
    close: async () => {
      closed = true;
      await pools.close();
      resolver.close();
    },
  };
};

/**
 * Ties connections to requests. undici gives no name to who asked for a socket, but asks within `dispatch` and writes
 * the waiting request within the connect callback, so what is set around those calls belongs to that request.
 */
const connectionHooks = (hand: Hand) => ({
  onOpening: (opening: Opening): void => hand.dispatching?.waitFor(opening),
  onOpened: (opening: Opening, handOver: () => void): void => {
    hand.opened = opening;
    handOver();
    hand.opened = undefined;
  },
});

/** Undefined when a name is among the forbidden ones; whether the rest can be sent, undici checks. */
const outgoingHeaders = (given: SendRequest['headers'], own: readonly string[]): string[] | undefined => {
  const flat = Array.isArray(given) ? (given as readonly string[]) : Object.entries(given).flat();
  const headers = [...flat];
  const names = new Set<string>();
  for (let index = 0; index < flat.length; index += 2) names.add((flat[index] ?? '').toLowerCase());
  for (const name of names) if (FORBIDDEN_HEADERS.has(name)) return undefined;
  for (let index = 0; index < own.length; index += 2) {
    if (!names.has(own[index] ?? '')) headers.push(own[index] ?? '', own[index + 1] ?? '');
  }
  return headers;
};

/** Parsing a URL costs as much as the rest of our own work, and most requests go where others went before. */
const cachedTargets = (rules: TargetRules): ((url: string) => Target | TargetRefusal) => {
  const cache = new Map<string, Target | TargetRefusal>();
  return (url) => {
    const known = cache.get(url);
    if (known !== undefined) return known;
    const parsed = parseTarget(url, rules);
    if (cache.size >= TARGETS_MAX) cache.clear();
    cache.set(url, parsed);
    return parsed;
  };
};

const refused = (failure: Failure): SendOutcome => ({
  kind: 'failure',
  ...failure,
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, bodyMs: null, totalMs: 0 },
});
