/**
 * Which addresses we may connect to: default deny. Block lists miss spellings (`::7f00:1`, `64:ff9b::7f00:1`,
 * `2002:7f00:1::1`), so IPv6 is allowed only inside the global unicast block, and anything unreadable is denied.
 */
export type Verdict =
  /** `exception`: outside the public space, and allowed by the operator's own list. */
  { readonly allowed: true; readonly by: 'public' | 'exception' } | { readonly allowed: false; readonly why: string };

/** An address as a number; an IPv4-mapped IPv6 address is its IPv4 address, because that is where it connects. */
export type Address = { readonly family: 4 | 6; readonly value: bigint };
export type Cidr = Address & { readonly prefix: number };
/** `deny` is for what is public but ours, such as this host and the database; it wins over `allow`. */
export type AddressRules = {
  readonly allow: readonly Cidr[];
  readonly deny: readonly Cidr[];
  readonly own?: readonly OwnEndpoint[] | undefined;
};
/** Where something of ours listens; with `isWhole` nothing at that address may be reached, unless the operator's list allows it. */
export type OwnEndpoint = { readonly address: Address; readonly port: number; readonly isWhole: boolean };

export const PUBLIC_ONLY: AddressRules = { allow: [], deny: [] };

export const verdict = (ip: string, rules: AddressRules = PUBLIC_ONLY, port?: number): Verdict => {
  const address = parseAddress(ip);
  if (address === undefined) return { allowed: false, why: 'not an IP address' };
  const inside = (cidr: Cidr): boolean => contains(cidr, address);
  const own = (rules.own ?? []).filter((endpoint) => isSame(endpoint.address, address));
  if (own.some((endpoint) => endpoint.port === port)) return { allowed: false, why: 'an address of ours' };
  if (rules.deny.some(inside)) return { allowed: false, why: 'denied by configuration' };
  if (rules.allow.some(inside)) return { allowed: true, by: 'exception' };
  if (own.some(({ isWhole }) => isWhole)) return { allowed: false, why: 'an address of ours' };
  const isPublic = (address.family === 4 || contains(GLOBAL_UNICAST, address)) && !RESERVED.some(inside);
  return isPublic ? { allowed: true, by: 'public' } : { allowed: false, why: 'not a public address' };
};

/** Throws on a range that cannot be read: configuration is checked when it is loaded, not when it is needed. */
export const addressRules = (lists: {
  readonly allowCidrs?: readonly string[] | undefined;
  readonly denyCidrs?: readonly string[] | undefined;
  readonly ownEndpoints?: readonly OwnEndpoint[] | undefined;
}): AddressRules => ({
  allow: (lists.allowCidrs ?? []).map(parseCidr),
  deny: (lists.denyCidrs ?? []).map(parseCidr),
  own: lists.ownEndpoints,
});

/** `10.0.0.0/8`, `fd00::/8`, or one address alone. */
export const parseCidr = (text: string): Cidr => {
  const [ip = '', length, ...rest] = text.trim().split('/');
  const address = parseAddress(ip);
  const written = ip.includes(':') ? 128 : 32; // Of the mapped form too, whose prefix counts from the left of 128.
  const prefix = length === undefined ? written : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  const shift = address?.family === 4 ? written - 32 : 0;
  if (address === undefined || rest.length > 0 || !(prefix >= shift && prefix <= written)) {
    throw new Error(`"${text}" is not an address range. Write it as 10.0.0.0/8 or fd00::/8.`);
  }
  return { ...address, prefix: prefix - shift };
};

/** Reads what the URL parser and the operating system write; `undefined` for any other spelling. */
export const parseAddress = (ip: string): Address | undefined => {
  const four = parseIpv4(ip);
  if (four !== undefined) return { family: 4, value: four };
  const six = parseIpv6(ip);
  if (six === undefined) return undefined;
  return six >> 32n === 0xffffn ? { family: 4, value: six & 0xffff_ffffn } : { family: 6, value: six };
};

const isSame = (one: Address, other: Address): boolean => one.family === other.family && one.value === other.value;

const contains = (cidr: Cidr, { family, value }: Address): boolean => {
  const shift = BigInt((family === 4 ? 32 : 128) - cidr.prefix);
  return cidr.family === family && cidr.value >> shift === value >> shift;
};

const parseIpv4 = (text: string): bigint | undefined => {
  const parts = text.split('.');
  // No leading zero: some readers take it for octal, so the same text could mean two addresses.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
};

const parseIpv6 = (text: string): bigint | undefined => {
  const lastColon = text.lastIndexOf(':');
  if (lastColon === -1) return undefined;
  let hex = text;
  if (text.includes('.')) {
    const tail = parseIpv4(text.slice(lastColon + 1));
    if (tail === undefined) return undefined;
    hex = `${text.slice(0, lastColon + 1)}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const halves = hex.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail] = halves;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...head, ...new Array<string>(missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
};

const GLOBAL_UNICAST = parseCidr('2000::/3');

/** The special-purpose registries of IANA (RFC 6890), as far as they lie inside what is otherwise allowed. */
const RESERVED = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '2001::/23', // Teredo, ORCHID, benchmarking
  '2001:db8::/32',
  '2002::/16', // 6to4: wraps any IPv4 address
  '3fff::/20',
].map(parseCidr);
