import { createSocket } from 'node:dgram';
import { type Answer, decode, encode, type Question, RECURSION_DESIRED } from 'dns-packet';

export type DnsQuery = { readonly name: string; readonly type: string };
/** What a script says to one query; `records` are answered as they are, whatever was asked. */
export type DnsReply =
  | { readonly kind: 'records'; readonly records: readonly Answer[] }
  | { readonly kind: 'code'; readonly code: 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED' }
  | { readonly kind: 'silence' };
/** `nth` is 1 for the first query of this name and type. */
export type DnsScript = (query: DnsQuery, nth: number) => DnsReply;
export type DnsServer = {
  /** `address:port`, as a resolver takes it. */
  readonly server: string;
  readonly queries: readonly DnsQuery[];
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** A name server under our control; a name without a script does not exist. Names are compared in lower case. */
export const startDnsServer = async (scripts: Readonly<Record<string, DnsScript>>): Promise<DnsServer> => {
  const queries: DnsQuery[] = [];
  const counts = new Map<string, number>();
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    const { id = 0, questions = [] } = decode(bytes);
    const [question] = questions;
    if (question === undefined) return;
    const query = { name: question.name.toLowerCase(), type: String(question.type) };
    const key = `${query.name} ${query.type}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    queries.push(query);
    const reply = scripts[query.name]?.(query, nth) ?? { kind: 'code', code: 'NXDOMAIN' };
    if (reply.kind !== 'silence') socket.send(encodeReply(id, question, reply), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const close = (): Promise<void> => new Promise((resolve) => socket.close(() => resolve()));
  return { server: `127.0.0.1:${socket.address().port}`, queries, close, [Symbol.asyncDispose]: close };
};

/** A and AAAA records by the form of the address, each to the query it fits. */
export const addresses =
  (list: readonly string[], ttl = 60): DnsScript =>
  ({ name, type }) => ({
    kind: 'records',
    records: addressRecords(name, list, ttl).filter((one) => one.type === type),
  });

/** The first query meets the first list, and so on; the last stays. */
export const flipping =
  (lists: readonly (readonly string[])[], ttl = 0): DnsScript =>
  (query, nth) =>
    addresses(lists[Math.min(nth, lists.length) - 1] ?? [], ttl)(query, nth);

export const silence: DnsScript = () => ({ kind: 'silence' });
export const failing =
  (code: 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED'): DnsScript =>
  () => ({ kind: 'code', code });

/** The whole chain in one answer, as a recursive resolver gives it; `list` are the addresses at its end. */
export const cnameChain =
  (names: readonly string[], list: readonly string[], ttl = 60): DnsScript =>
  ({ name, type }) => {
    const links = names.map((data, index) => ({
      type: 'CNAME' as const,
      name: index === 0 ? name : (names[index - 1] ?? ''),
      ttl,
      data,
    }));
    const last = names.at(-1) ?? name;
    return {
      kind: 'records',
      records: [...links, ...addressRecords(last, list, ttl).filter((one) => one.type === type)],
    };
  };

const addressRecords = (name: string, list: readonly string[], ttl: number) =>
  list.map((data) => ({ type: data.includes(':') ? ('AAAA' as const) : ('A' as const), name, ttl, data }));

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };
const encodeReply = (id: number, question: Question, reply: Exclude<DnsReply, { kind: 'silence' }>): Buffer =>
  encode({
    id,
    type: 'response',
    flags: RECURSION_DESIRED | RCODES[reply.kind === 'code' ? reply.code : 'NOERROR'],
    questions: [question],
    answers: reply.kind === 'records' ? [...reply.records] : [],
  });
