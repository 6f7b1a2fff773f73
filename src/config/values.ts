import { isIP } from 'node:net';
import { z } from 'zod';

/** What each kind of value looks like in the environment. All read text; all answer with the typed value. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `250ms`, `15s`, `1.5m`, `10h`, `7d`; undefined when it is none of these. */
export const parseDuration = (text: string): number | undefined => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
};

/** A zod type for text that `parse` understands: undefined or a RangeError from it is a refusal. */
export const textOf = <T>(parse: (text: string) => T | undefined) =>
  z.string().transform((text, context): T => {
    try {
      const value = parse(text);
      if (value !== undefined) return value;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    context.addIssue('refused');
    return z.NEVER;
  });

export const duration = (minMs: number, maxMs: number) =>
  textOf((text) => {
    const ms = parseDuration(text);
    return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
  });

export const wholeNumber = (min: number, max: number) =>
  textOf((text) => (/^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined));

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  on: true,
  1: true,
  false: false,
  off: false,
  0: false,
};
export const yesOrNo = () => textOf((text) => BOOLEANS[text.toLowerCase()]);

export const list = <T>(item: (text: string) => T | undefined) =>
  textOf((text) => {
    const items = text.split(',').map((part) => item(part.trim()));
    return items.every((value) => value !== undefined) ? (items as T[]) : undefined;
  });

/** A list that may be empty, written as an empty text or as `none`. */
export const listOrNone = <T>(item: (text: string) => T | undefined) =>
  z.union([z.enum(['', 'none']).transform((): T[] => []), list(item)]);

export const cidr = (text: string): string | undefined => {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = isIP(address);
  const fits = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
  return family !== 0 && fits && rest.length === 0 ? text : undefined;
};

/** A port, or a range such as `2375-2380`; answers with all of them. */
export const ports = (text: string): readonly number[] | undefined => {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || from < 1 || to < from || to > 65_535) return undefined;
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
};

/** `ip:port`, `[ipv6]:port`, or an address alone for port 53; answers in the form that `dns.setServers` takes. */
export const dnsServer = (text: string): string | undefined => {
  if (isIP(text) === 4) return `${text}:53`;
  if (isIP(text) === 6) return `[${text}]:53`;
  const [, v6, v4, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const valid = (isIP(v6 ?? '') === 6 || isIP(v4 ?? '') === 4) && Number(port) >= 1 && Number(port) <= 65_535;
  return valid ? text : undefined;
};

/** As browsers write it in the `Origin` header: lower case, without the scheme's own port, without a path. */
export const origin = (text: string): string | undefined => {
  const url = URL.parse(text);
  return url?.origin === text && /^https?:$/.test(url.protocol) ? text : undefined;
};

export type NamedKey = { readonly id: string; readonly key: Buffer };

/** `id:text` pairs of 32-byte keys with different ids. */
export const keyList = (encoding: 'hex' | 'base64') =>
  list((text) => parseKey(text, encoding)).refine(
    (keys) => new Set(keys.map(({ id }) => id)).size === keys.length,
    'refused',
  );

const KEY_TEXT = { hex: /^[0-9a-fA-F]{64}$/, base64: /^[0-9A-Za-z+/]{43}=$/ } as const;

const parseKey = (text: string, encoding: 'hex' | 'base64'): NamedKey | undefined => {
  const [, id, encoded] = /^([0-9A-Za-z_-]{1,64}):(.*)$/.exec(text) ?? [];
  if (id === undefined || encoded === undefined || !KEY_TEXT[encoding].test(encoded)) return undefined;
  return { id, key: Buffer.from(encoded, encoding) };
};

/** Requests per second of each kind of caller. */
export type RateLimits = { readonly token: number; readonly organization: number; readonly address: number };
export const DEFAULT_RATE_LIMITS = 'token=5000/s,organization=10000/s,address=200/s';

/** `scope=count/s` pairs; a scope that is not named keeps its default. */
export const rateLimits = () =>
  textOf((text): RateLimits | 'off' | undefined => {
    if (text === 'off') return 'off';
    const limits = { token: 5_000, organization: 10_000, address: 200 };
    for (const pair of text.split(',')) {
      const [, scope, count] = /^(token|organization|address)=([1-9]\d{0,8})\/s$/.exec(pair.trim()) ?? [];
      if (scope === undefined) return undefined;
      limits[scope as keyof RateLimits] = Number(count);
    }
    return limits;
  });

export const url = (...protocols: string[]) =>
  textOf((text) => (URL.canParse(text) && protocols.includes(new URL(text).protocol) ? text : undefined));
