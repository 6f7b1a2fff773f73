import { FORBIDDEN_HEADERS } from '../../domain/target/headers.ts';

const HEADERS_MAX = 10;
const LENGTH_MAX = 500;
/** RFC 9110, 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** Visible ASCII and spaces: anything else arrives differently at different receivers, and would not verify. */
const VALUE = /^[\x20-\x7e]*$/;

/** Ours to set, or read by those in between rather than by the receiver. Lower case. */
const RESERVED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'content-encoding',
  'content-type',
  'cookie',
  'date',
  'forwarded',
  'set-cookie',
  'user-agent',
  'via',
  'x-event-id',
  'x-event-type',
  'x-real-ip',
]);
const RESERVED_PREFIXES = ['proxy-', 'webhook-', 'x-forwarded-', 'x-posthorn-'];

export type HeaderFinding = {
  readonly code: string;
  readonly message: string;
  readonly params: Readonly<Record<string, unknown>>;
};

/** What is wrong with the headers a subscription wants to send; undefined when nothing is. Values are not repeated. */
export const findHeaderFault = (
  headers: Readonly<Record<string, string | null>>,
  signatureHeader: string,
): HeaderFinding | undefined => {
  const names = Object.keys(headers);
  if (names.length > HEADERS_MAX)
    return finding('size', `must be at most ${HEADERS_MAX} headers`, { min: 0, max: HEADERS_MAX });
  const seen = new Set<string>();
  for (const name of names) {
    const lower = name.toLowerCase();
    const value = headers[name] ?? '';
    if (name.length > LENGTH_MAX || value.length > LENGTH_MAX)
      return finding('property-length', `names and values must have at most ${LENGTH_MAX} characters`, {
        min: 0,
        max: LENGTH_MAX,
      });
    if (!NAME.test(name))
      return finding('name', `"${name.slice(0, 80)}" is not a header name of 64 characters at most`);
    if (!VALUE.test(value)) return finding('value', `the value of ${name} must be visible ASCII and spaces`);
    if (seen.has(lower)) return finding('name', `${name} is given twice`);
    if (isReserved(lower, signatureHeader)) return finding('reserved', `${name} is not yours to set`);
    seen.add(lower);
  }
  return undefined;
};

const isReserved = (lower: string, signatureHeader: string): boolean =>
  lower === signatureHeader.toLowerCase() ||
  FORBIDDEN_HEADERS.has(lower) ||
  RESERVED.has(lower) ||
  RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));

const finding = (code: string, message: string, params: Readonly<Record<string, unknown>> = {}): HeaderFinding => ({
  code: `subscription-target-http-headers-${code}`,
  message,
  params,
});
