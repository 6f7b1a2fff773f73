import { type AddressRules, parseAddress, verdict } from './address.ts';
import { BUILT_IN_RECEIVER_ORIGIN } from './built-in-receiver.ts';

/** A URL we may send to, parsed once: `href` is what is stored, the rest is what a connection needs. */
export type Target = {
  readonly kind: 'target';
  readonly href: string;
  readonly origin: string;
  /** Path and query, as they go into the request line. */
  readonly path: string;
};
/** `invalid_target`: no URL of ours to send to. `blocked_target`: readable, and not allowed. */
export type TargetRefusal = {
  readonly kind: 'refused';
  readonly code: 'invalid_target' | 'blocked_target';
  readonly message: string;
};
export type TargetRules = {
  readonly addresses: AddressRules;
  readonly allowHttp: boolean;
  /** Whether the built-in receiver may be a target, which it is over plain HTTP whatever else is allowed. */
  readonly builtInReceiver?: boolean | undefined;
  /** In place of `DENIED_PORTS`. Below 1024 only 80 and 443 are open, whatever is listed. */
  readonly deniedPorts?: ReadonlySet<number> | undefined;
};

export const URL_LENGTH_MAX = 2_048;

/** Where databases, caches, container runtimes and orchestrators listen without a password. */
export const DENIED_PORTS: ReadonlySet<number> = new Set([
  ...[2375, 2376, 2377, 2378, 2379, 2380, 3306, 5432, 5984, 6379, 6443],
  ...[8500, 9200, 9300, 10250, 11211, 27017],
]);

/**
 * The rules for a target, the same at creation (where a refusal becomes a 422) and before each request (where it
 * becomes the reason of a failed attempt). A name is only read here: what it resolves to is vetted at connect.
 */
export const parseTarget = (text: string, rules: TargetRules): Target | TargetRefusal => {
  if (text.length > 4 * URL_LENGTH_MAX) return invalid(`The URL is longer than ${URL_LENGTH_MAX} characters.`);
  // The URL parser repairs these without a word, so the text a person approved would not be the URL we call.
  if (REPAIRED.test(text)) {
    return invalid('The URL holds a control character, a backslash, or a space at an end.');
  }
  const url = URL.parse(text);
  if (url === null) return invalid('The URL cannot be parsed.');
  const { href, protocol } = url;
  if (protocol !== 'https:' && protocol !== 'http:') return invalid('The URL must begin with https://.');
  if (href.length > URL_LENGTH_MAX) return invalid(`The URL is longer than ${URL_LENGTH_MAX} characters.`);
  if (url.username !== '' || url.password !== '') return invalid('The URL must not hold a user name or password.');
  if (href.includes('#')) return invalid('The URL must not hold a fragment.');
  if (url.port === '0') return invalid('Port 0 cannot be connected to.');

  const isBuiltIn = rules.builtInReceiver === true && url.origin === BUILT_IN_RECEIVER_ORIGIN;
  return isBuiltIn ? targetOf(url) : (refuseHost(url, rules) ?? targetOf(url));
};

const targetOf = ({ href, origin, pathname, search }: URL): Target => ({
  kind: 'target',
  href,
  origin,
  path: pathname + search,
});

/** With the scheme's own, when none is written. */
export const portOf = ({ port, protocol }: { readonly port: string; readonly protocol: string }): number =>
  port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);

const refuseHost = (url: URL, rules: TargetRules): TargetRefusal | undefined => {
  const { hostname } = url;
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return parseAddress(host) === undefined ? refuseName(host, url, rules) : refuseLiteral(host, url, rules);
};

/** As a resolver wants it: one trailing dot only says that the name is complete. */
export const withoutTrailingDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name);

const refuseLiteral = (ip: string, url: URL, rules: TargetRules): TargetRefusal | undefined => {
  const judged = verdict(ip, rules.addresses, portOf(url));
  if (!judged.allowed) return blocked('The address is not a public one.');
  // What the operator listed by range may listen anywhere, in the clear.
  return judged.by === 'exception' ? undefined : (refuseScheme(url, rules) ?? refusePort(url, rules));
};

const refuseName = (host: string, url: URL, rules: TargetRules): TargetRefusal | undefined => {
  const name = withoutTrailingDot(host);
  const labels = name.split('.');
  // RFC 1035, section 2.3.4. The underscore is not in it, and is in use.
  if (name.length > 253 || !labels.every((label) => /^[a-z0-9_-]{1,63}$/.test(label))) {
    return invalid('The host name is not a valid DNS name.');
  }
  if (labels.length < 2 || INTERNAL_SUFFIXES.some((suffix) => name.endsWith(suffix))) {
    return blocked('The host name is an internal one.');
  }
  return refuseScheme(url, rules) ?? refusePort(url, rules);
};

const refuseScheme = ({ protocol }: URL, { allowHttp }: TargetRules): TargetRefusal | undefined =>
  protocol === 'https:' || allowHttp ? undefined : invalid('The URL must begin with https://.');

const refusePort = ({ port }: URL, { deniedPorts = DENIED_PORTS }: TargetRules): TargetRefusal | undefined => {
  if (port === '') return undefined; // The scheme's own: 80 or 443.
  const number = Number(port);
  const open = number === 80 || number === 443 || number >= 1_024;
  return open && !deniedPorts.has(number) ? undefined : blocked(`Port ${port} is not allowed.`);
};

const invalid = (message: string): TargetRefusal => ({ kind: 'refused', code: 'invalid_target', message });
const blocked = (message: string): TargetRefusal => ({ kind: 'refused', code: 'blocked_target', message });

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const REPAIRED = /[\u0000-\u001f\u007f\\]|^ | $/;
const INTERNAL_SUFFIXES = ['.localhost', '.local', '.internal', '.svc', '.cluster.local', '.arpa'];
