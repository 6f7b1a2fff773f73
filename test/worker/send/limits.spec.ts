import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { createSender, type SendOutcome } from '#src/worker/send/send.ts';
import {
  dripBody,
  dripChunks,
  dripHead,
  dripTrailers,
  endlessInformational,
  gzipBomb,
  hang,
  hugeBody,
  largeHeader,
  manyHeaders,
  raw,
  slow,
  startReceiver,
} from '#test/support/receivers/index.ts';

const TIMEOUT_MS = 400;
const sender = createSender({ allowCidrs: ['127.0.0.9'], timeoutMs: TIMEOUT_MS });
const receiver = await startReceiver({
  behaviours: {
    '/hang': hang(),
    '/drip-head': dripHead(20),
    '/drip-body': dripBody(20),
    '/drip-500': dripBody(20, 500),
    '/drip-chunks': dripChunks(20),
    '/drip-extensions': dripChunks(20, true),
    '/drip-trailers': dripTrailers(20),
    '/endless-103': endlessInformational(20),
    '/endless-102': endlessInformational(20, 102),
    '/flood-103': endlessInformational(0),
    '/length-1e15': raw('HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\na'),
    '/gigabyte': hugeBody(2 ** 30),
    '/slow': slow(1_600),
    '/64k': hugeBody(65_536),
    '/64k+1': hugeBody(65_537),
    '/bomb': gzipBomb(50_000_000),
    '/10000-headers': manyHeaders(10_000),
    '/1000-headers': manyHeaders(1_000),
    '/80k-header': largeHeader(80_000),
    '/15k-header': largeHeader(15_000),
  },
});
afterAll(async () => {
  await sender.close();
  await receiver.close();
});

const send = (path: string, timeoutMs = TIMEOUT_MS): Promise<SendOutcome> =>
  sender.send({ url: receiver.url + path, method: 'POST', headers: {}, body: Buffer.from('{}'), timeoutMs });
const brief = (outcome: SendOutcome): string | number =>
  outcome.kind === 'response' ? outcome.status : outcome.reason;

/**
 * In a process of its own, so that the receiver's memory is not counted; with a small young heap, because how late garbage
 * is collected is not what is asked. Prints by how much each path raised the peak of the resident memory.
 */
const SCRIPT = `
  const { createSender } = await import(process.argv[1]);
  const [url, ...paths] = process.argv.slice(2);
  const sender = createSender({ allowCidrs: ['127.0.0.9'], timeoutMs: 400 });
  const send = (path) => sender.send({ url: url + path, method: 'POST', headers: {}, body: Buffer.from('{}') });
  await Promise.all(paths.map(send));
  const grown = [];
  for (const path of paths) {
    const before = process.resourceUsage().maxRSS;
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => send(path)));
    if (outcomes.some(({ body }) => body?.length > 65_536)) process.exit(1);
    grown.push((process.resourceUsage().maxRSS - before) * 1024);
  }
  process.stdout.write(JSON.stringify(grown));
  process.exit();
`;

describe('the deadline', () => {
  it.concurrent.each([
    ['/hang', 'timeout'],
    ['/drip-head', 'timeout'],
    ['/endless-103', 'timeout'],
    ['/endless-102', 'timeout'],
    ['/drip-body', 200],
    ['/drip-500', 500],
    ['/drip-chunks', 200],
    ['/drip-extensions', 200],
    ['/drip-trailers', 200],
    ['/length-1e15', 200],
  ])('ends %s as %s', async (path, expected) => {
    const start = performance.now();
    const outcome = await send(path);
    const took = performance.now() - start;
    expect(brief(outcome)).toBe(expected);
    if (outcome.kind === 'response') expect(outcome.truncated).toBe(true);
    expect(took).toBeGreaterThanOrEqual(TIMEOUT_MS - 5);
    expect(took).toBeLessThan(TIMEOUT_MS + 250);
    expect(Math.abs(outcome.timings.totalMs - took)).toBeLessThan(50);
  });

  // undici's own timers tick every half second, so a shorter wait would not show that they are off.
  it.concurrent('alone ends a request: a slow answer before it is an answer', async () => {
    expect(brief(await send('/slow', 5_000))).toBe(200);
  });

  it('frees the sockets too', async () => {
    const kinds = [hang(), dripBody(20), endlessInformational(20)];
    await using own = await startReceiver({ behaviour: (call) => kinds[(call.nth - 1) % 3]?.(call) });
    const request = { url: own.url, method: 'POST', headers: {}, body: Buffer.from('{}') };
    await Promise.all(kinds.map(() => sender.send(request)));
    const before = performance.now();
    await own.waitForQuiet();
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('stops a flood of interim answers before that', async () => {
    const outcome = await send('/flood-103', 5_000);
    expect(brief(outcome)).toBe('invalid_response');
    expect(outcome.timings.totalMs).toBeLessThan(2_000);
  });

  it('of a hundred hanging endpoints leaves healthy ones alone', async () => {
    const hanging = await Promise.all(Array.from({ length: 4 }, () => startReceiver({ behaviour: hang() })));
    await using healthy = await startReceiver();
    const post = (url: string) => sender.send({ url, method: 'POST', headers: {}, body: Buffer.from('{}') });
    const late = Promise.all(Array.from({ length: 100 }, (_, index) => post(hanging[index % 4]?.url ?? '')));
    const start = performance.now();
    expect((await Promise.all(Array.from({ length: 100 }, () => post(healthy.url)))).map(brief)).toEqual(
      new Array(100).fill(200),
    );
    expect(performance.now() - start).toBeLessThan(TIMEOUT_MS);
    for (const { reason, timings } of (await late) as Extract<SendOutcome, { kind: 'failure' }>[]) {
      expect(reason).toBe('timeout');
      expect(timings.totalMs).toBeLessThan(TIMEOUT_MS * 1.1 + 100);
    }
    await Promise.all(hanging.map((each) => each.close()));
  });
});

describe('the size', () => {
  it('of a body may be exactly the limit', async () => {
    expect(await send('/64k', 5_000)).toMatchObject({ status: 200, truncated: false, body: { length: 65_536 } });
    expect(await send('/64k+1', 5_000)).toMatchObject({ status: 200, truncated: true, body: { length: 65_536 } });
  });

  it('of a body is limited by configuration', async () => {
    const frugal = createSender({ allowCidrs: ['127.0.0.9'], responseBytesMax: 10 });
    const request = { url: `${receiver.url}/64k`, method: 'POST', headers: {}, body: Buffer.from('{}') };
    expect(await frugal.send(request)).toMatchObject({ truncated: true, body: Buffer.alloc(10, 'a') });
    await frugal.close();
  });

  it('of headers is bounded', async () => {
    expect(brief(await send('/10000-headers', 5_000))).toBe('invalid_response');
    expect(brief(await send('/80k-header', 5_000))).toBe('invalid_response');
    expect(brief(await send('/1000-headers', 5_000))).toBe(200);
    expect(brief(await send('/15k-header', 5_000))).toBe(200);
  });

  it('of a gzip bomb is what came over the wire', async () => {
    const outcome = await send('/bomb', 5_000);
    expect(outcome).toMatchObject({ status: 200, headers: { 'content-encoding': 'gzip' } });
    if (outcome.kind === 'response') expect([...outcome.body.subarray(0, 2)]).toEqual([0x1f, 0x8b]);
  });

  it('of memory stays bounded with twenty of a kind at once', async () => {
    const module = new URL('../../../src/worker/send/send.ts', import.meta.url).href;
    const paths = ['/gigabyte', '/bomb', '/10000-headers', '/80k-header', '/length-1e15', '/flood-103'];
    const args = ['--max-semi-space-size=2', '--input-type=module', '-e', SCRIPT, module, receiver.url, ...paths];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const grownBytes: number[] = JSON.parse(stdout);
    expect(grownBytes.length).toBe(paths.length);
    for (const grown of grownBytes) expect(grown).toBeLessThan(64 * 2 ** 20);
  });
});
