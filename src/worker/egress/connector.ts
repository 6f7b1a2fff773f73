import type { Socket } from 'node:net';
import { buildConnector } from 'undici';
import { type AddressRules, parseAddress, verdict } from '../../domain/target/address.ts';
import { BUILT_IN_RECEIVER_HOST } from '../../domain/target/built-in-receiver.ts';
import { portOf, withoutTrailingDot } from '../../domain/target/target.ts';
import type { BuiltInReceiver } from '../built-in-receiver/receiver.ts';
import { EgressError, LocalFault, localFaultCode } from './errors.ts';
import { Opening } from './opening.ts';

export type ConnectorDeps = {
  readonly resolve: (name: string) => Promise<readonly string[]>;
  readonly rules: AddressRules;
  /** Over all addresses and the TLS handshake; name resolution has its own deadline. */
  readonly timeoutMs?: number;
  /** Certificate authorities (PEM) in place of the built-in ones. */
  readonly ca?: string | readonly string[] | undefined;
  /** Takes the connections to its reserved host: no name is resolved for them and no socket opened. */
  readonly builtInReceiver?: BuiltInReceiver | undefined;
  /** Called within undici's request for a connection, before anything is awaited. */
  readonly onOpening?: (opening: Opening) => void;
  /** Hands the socket over; what undici writes to it within `handOver` is the request that waited for it. */
  readonly onOpened?: (opening: Opening, handOver: () => void) => void;
};

const CANDIDATES_MAX = 3;

/**
 * The only way out. An address is vetted before it is connected to, and the connection is made to that very address, so
 * that a name which resolves differently a moment later changes nothing. No proxy variable is read. Failures are
 * EgressErrors, or a LocalFault when this machine is the cause.
 */
export const createConnector = (deps: ConnectorDeps): buildConnector.connector => {
  const {
    resolve,
    rules,
    timeoutMs = 5_000,
    ca,
    builtInReceiver,
    onOpening,
    onOpened = (_, handOver) => handOver(),
  } = deps;
  const settings = { allowH2: false, timeout: 0, ...(ca === undefined ? {} : { ca: [ca].flat() }) };
  const dial = buildConnector(settings) as unknown as Dial;

  return (options, callback) => {
    const opening = new Opening();
    const { hostname } = options;
    const fail = (error: Error): void => {
      opening.stop(performance.now());
      callback(error, null);
    };
    const start = (addresses: readonly string[]): void => {
      if (!addresses.every((address) => verdict(address, rules, portOf(options)).allowed)) {
        fail(new EgressError('blocked_target', 'The host resolves to an address that is not allowed.'));
        return;
      }
      opening.enter('connect', performance.now());
      // An address as servername is forbidden (RFC 6066, section 3); undici derives none from `host` then.
      const servername = parseAddress(hostname) === undefined ? withoutTrailingDot(hostname) : undefined;
      const endpoint = options.protocol === 'https:' ? withServername(options, servername) : options;
      const attempt = { dial, rules, endpoint, opening, deadline: performance.now() + timeoutMs };
      connectFirst(attempt, addresses.slice(0, CANDIDATES_MAX), (error, socket) => {
        opening.stop(performance.now());
        if (socket === null) callback(error, null);
        else onOpened(opening, () => callback(null, socket));
      });
    };

    onOpening?.(opening);
    if (builtInReceiver !== undefined && isBuiltInReceiver(options)) {
      opening.enter('connect', performance.now());
      const socket = builtInReceiver.open() as Socket; // undici looks first whether it has what only a socket has.
      // Not within the call: undici sends what waits for a connection only when it gets one afterwards.
      process.nextTick(() => {
        opening.stop(performance.now());
        onOpened(opening, () => callback(null, socket));
      });
    } else if (parseAddress(hostname) !== undefined) {
      start([hostname]);
    } else {
      opening.enter('dns', performance.now());
      resolve(withoutTrailingDot(hostname)).then(start, fail);
    }
  };
};

/** Exactly the reserved host on its own port: all other spellings were refused before. */
const isBuiltInReceiver = ({ hostname, protocol, port }: Endpoint): boolean =>
  hostname === BUILT_IN_RECEIVER_HOST && protocol === 'http:' && port === '';

type Done = (...result: [Error, null] | [null, Socket]) => void;
type Endpoint = buildConnector.Options;
/** The declared type hides that the socket is returned at once; without it no handshake could be timed or stopped. */
type Dial = (options: Endpoint, callback: (error: Error | null) => void) => Socket;
type Attempt = {
  readonly dial: Dial;
  readonly rules: AddressRules;
  readonly endpoint: Endpoint;
  readonly opening: Opening;
  readonly deadline: number;
};

const withServername = (options: Endpoint, servername: string | undefined): Endpoint =>
  servername === undefined ? options : { ...options, servername };

/** One after the other; only a connection that was not made moves on, never one whose handshake failed. */
const connectFirst = (attempt: Attempt, addresses: readonly string[], done: Done): void => {
  const [address = '', ...others] = addresses;
  connectTo(attempt, address, others.length, (...result) => {
    const [error] = result;
    const another = others.length > 0 && performance.now() < attempt.deadline;
    if (another && error instanceof EgressError && error.reason === 'connect') connectFirst(attempt, others, done);
    else done(...result);
  });
};

const connectTo = (attempt: Attempt, address: string, othersLeft: number, done: Done): void => {
  const { endpoint, opening, deadline } = attempt;
  const secure = endpoint.protocol === 'https:';
  let connected = false;
  const socket = attempt.dial({ ...endpoint, hostname: address }, (failed) => {
    clearTimeout(timer);
    const error = failed ?? socket.errored; // For plain HTTP undici does not see that the check below refused it.
    if (error === null) done(null, socket);
    else done(error instanceof EgressError ? error : asEgressError(error, address, connected), null);
  });
  const expire = (): void => {
    const error = connected
      ? new EgressError('tls', 'The TLS handshake took too long.')
      : new EgressError('connect', 'The connection could not be made in time.');
    socket.destroy(error);
  };
  // A share of the time each, so that one dead address leaves some for the next; the last gets what is left.
  let timer = setTimeout(expire, (deadline - performance.now()) / (othersLeft + 1));
  // Before undici's own listener, which for plain HTTP already hands the socket out.
  socket.prependOnceListener('connect', () => {
    connected = true;
    if (!isVetted(socket, address, attempt.rules)) {
      socket.destroy(new EgressError('blocked_target', 'The connection leads to an address that is not allowed.'));
      return;
    }
    clearTimeout(timer);
    if (!secure) return;
    opening.enter('tls', performance.now());
    timer = setTimeout(expire, deadline - performance.now());
  });
};

/** Whatever lies between (a redirecting firewall rule, a mistake above), the far end must be what was vetted. */
const isVetted = ({ remoteAddress = '', remotePort }: Socket, address: string, rules: AddressRules): boolean => {
  const [far, vetted] = [parseAddress(remoteAddress), parseAddress(address)];
  return (
    far?.family === vetted?.family && far?.value === vetted?.value && verdict(remoteAddress, rules, remotePort).allowed
  );
};

const asEgressError = (cause: Error, address: string, connected: boolean): Error => {
  const fault = localFaultCode(cause, address.includes(':') ? 6 : 4);
  if (fault !== undefined) return new LocalFault(fault, { cause });
  return connected
    ? new EgressError('tls', 'The TLS handshake failed.', { cause })
    : new EgressError('connect', 'The connection could not be made.', { cause });
};
