import { afterEach, describe, expect, it } from 'vitest';
import { createResolver } from '#src/worker/egress/resolver.ts';
import {
  addresses,
  cnameChain,
  type DnsScript,
  type DnsServer,
  failing,
  flipping,
  silence,
  startDnsServer,
} from '#test/support/receivers/index.ts';

const DEADLINE_MS = 300;
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
const start = async (scripts: Record<string, DnsScript>, options: { entriesMax?: number } = {}) => {
  const dns: DnsServer = await startDnsServer(scripts);
  let clock = 0;
  const resolver = createResolver({ servers: [dns.server], deadlineMs: DEADLINE_MS, now: () => clock, ...options });
  open.push(resolver.close, dns.close);
  const ask = (name = 'name.test') => resolver.resolve(name);
  return { ask, dns, advance: (ms: number) => (clock += ms) };
};

describe('the addresses of a name', () => {
  it('are of both families in turn, IPv4 first', async () => {
    const { ask, dns } = await start({ 'name.test': addresses(['2606::1', '2606::2', '8.8.8.8']) });
    expect(await ask()).toEqual(['8.8.8.8', '2606::1', '2606::2']);
    expect(dns.queries.map(({ type }) => type).sort()).toEqual(['A', 'AAAA']);
  });

  it.each(['NXDOMAIN', 'SERVFAIL'] as const)('may be of one family, the other answering %s', async (code) => {
    const a = addresses(['8.8.8.8']);
    const { ask } = await start({ 'name.test': (query, nth) => (query.type === 'A' ? a : failing(code))(query, nth) });
    expect(await ask()).toEqual(['8.8.8.8']);
  });

  it('are used at the deadline when one family never answers', async () => {
    const a = addresses(['8.8.8.8']);
    const { ask } = await start({ 'name.test': (query, nth) => (query.type === 'A' ? a : silence)(query, nth) });
    expect(await ask()).toEqual(['8.8.8.8']);
  });

  it('come at the end of a chain of names', async () => {
    const chain = Array.from({ length: 20 }, (_, index) => `n${index}.test`);
    const { ask } = await start({ 'name.test': cnameChain(chain, ['8.8.8.8']) });
    expect(await ask()).toEqual(['8.8.8.8']);
  });

  it('are at most sixteen', async () => {
    const many = Array.from({ length: 40 }, (_, index) => `8.8.${index}.1`);
    const { ask } = await start({ 'name.test': addresses(many) });
    expect(await ask()).toEqual(many.slice(0, 16));
  });
});

describe('a name without an address', () => {
  it.each<[string, DnsScript]>([
    ['NXDOMAIN', failing('NXDOMAIN')],
    ['SERVFAIL', failing('SERVFAIL')],
    ['REFUSED', failing('REFUSED')],
    ['an empty answer', addresses([])],
    ['silence', silence],
    ['a loop of names', cnameChain(['b.test', 'name.test'], [])],
    ['a thousand records', addresses(Array.from({ length: 1_000 }, (_, index) => `8.8.${index >> 8}.${index & 255}`))],
  ])('by %s is class dns, in time', async (kind, script) => {
    const { ask } = await start({ 'name.test': script });
    const before = performance.now();
    const answer = ask();
    // A resolver may take the thousand as far as they go, or nothing.
    if (kind.startsWith('a thousand')) await answer.catch((error) => expect(error).toMatchObject({ reason: 'dns' }));
    else await expect(answer).rejects.toMatchObject({ name: 'EgressError', reason: 'dns' });
    expect(performance.now() - before).toBeLessThan(DEADLINE_MS + 250);
  });

  it('by silence of several servers is no slower for that', async () => {
    await using first = await startDnsServer({ 'name.test': silence });
    await using second = await startDnsServer({ 'name.test': silence });
    const resolver = createResolver({ servers: [first.server, second.server], deadlineMs: DEADLINE_MS });
    const before = performance.now();
    await expect(resolver.resolve('name.test')).rejects.toMatchObject({ reason: 'dns' });
    expect(performance.now() - before).toBeLessThan(DEADLINE_MS + 150);
    resolver.close();
  });

  it('does not hold up another', async () => {
    const { ask } = await start({ 'hang.test': silence, 'name.test': addresses(['8.8.8.8']) });
    const names = Array.from({ length: 100 }, (_, index) => `hang${index}.test`);
    const silentOnes = await start(Object.fromEntries(names.map((name) => [name, silence])));
    const hanging = Promise.allSettled([...names.map((name) => silentOnes.ask(name)), ask('hang.test')]);
    const before = performance.now();
    expect(await ask()).toEqual(['8.8.8.8']);
    expect(performance.now() - before).toBeLessThan(DEADLINE_MS / 2);
    expect((await hanging).every(({ status }) => status === 'rejected')).toBe(true);
  });

  it('is asked for as it is, with no search domain after it', async () => {
    const { ask, dns } = await start({});
    await expect(ask('metadata.test')).rejects.toMatchObject({ reason: 'dns' });
    await expect(ask('metadata')).rejects.toMatchObject({ reason: 'dns' });
    expect(new Set(dns.queries.map(({ name }) => name))).toEqual(new Set(['metadata.test', 'metadata']));
  });
});

describe('the cache', () => {
  const flip = (ttl: number) => flipping([['8.8.8.8'], ['9.9.9.9']], ttl);

  it('keeps an answer as long as it says', async () => {
    const { ask, advance } = await start({ 'name.test': flip(60) });
    expect([await ask(), await ask()]).toEqual([['8.8.8.8'], ['8.8.8.8']]);
    advance(59_999);
    expect(await ask()).toEqual(['8.8.8.8']);
    advance(1);
    expect(await ask()).toEqual(['9.9.9.9']);
  });

  it('keeps it for five minutes at most', async () => {
    const { ask, advance } = await start({ 'name.test': flip(86_400) });
    await ask();
    advance(300_000);
    expect(await ask()).toEqual(['9.9.9.9']);
  });

  it('does not keep what lives for no time', async () => {
    const { ask } = await start({ 'name.test': flip(0) });
    expect([await ask(), await ask()]).toEqual([['8.8.8.8'], ['9.9.9.9']]);
  });

  it.each([
    ['NXDOMAIN', 30_000],
    ['SERVFAIL', 5_000],
  ] as const)('keeps %s for %i ms', async (code, ms) => {
    let script: DnsScript = failing(code);
    const { ask, advance } = await start({ 'name.test': (query, nth) => script(query, nth) });
    await expect(ask()).rejects.toThrow();
    script = addresses(['8.8.8.8']);
    advance(ms - 1);
    await expect(ask()).rejects.toThrow();
    advance(1);
    expect(await ask()).toEqual(['8.8.8.8']);
  });

  it('asks once for all who wait', async () => {
    const { ask, dns } = await start({ 'name.test': flip(0) });
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask()));
    expect(answers).toEqual(new Array(50).fill(['8.8.8.8']));
    expect(dns.queries.length).toBe(2);
  });

  it('forgets the oldest when it is full', async () => {
    const names = { 'a.test': flip(60), 'b.test': flip(60), 'c.test': flip(60) };
    const { ask } = await start(names, { entriesMax: 2 });
    for (const name of ['a.test', 'b.test', 'c.test']) await ask(name);
    expect(await ask('c.test')).toEqual(['8.8.8.8']);
    expect(await ask('a.test')).toEqual(['9.9.9.9']);
  });
});
