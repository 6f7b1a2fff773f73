import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressRules, verdict } from '#src/domain/target/address.ts';
import { parseTarget, type TargetRules } from '#src/domain/target/target.ts';

const withHttp: TargetRules = { addresses: addressRules({}), allowHttp: true };
const strict: TargetRules = { addresses: addressRules({}), allowHttp: false };
const codeOf = (url: string, rules = withHttp): string => {
  const parsed = parseTarget(url, rules);
  return parsed.kind === 'refused' ? parsed.code : parsed.kind;
};

describe('what must be refused', () => {
  it.each([
    ...['http://127.0.0.1/', 'http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/'],
    ...['http://0.0.0.0/', 'http://foo.localhost/', 'http://localhost/', 'http://[::1]/', 'http://[::]/'],
    ...['http://[::ffff:169.254.169.254]/', 'http://[::127.0.0.1]/', 'http://[64:ff9b::10.0.0.1]/'],
    ...[
      'http://[2002:7f00:1::1]/',
      'http://[2001::1]/',
      'http://[fe80::1]/',
      'http://[fd00:ec2::254]/',
      'http://[ff02::1]/',
    ],
    ...['http://169.254.169.254/latest/meta-data/', 'http://0xA9FEA9FE/', 'http://metadata.google.internal/'],
    ...['http://10.0.0.1/', 'http://172.31.255.255/', 'http://100.64.0.1/', 'http://240.0.0.1/'],
    ...[
      'http://１２７.０.０.１/',
      'http://%31%32%37.0.0.1/',
      'http:/127.0.0.1/',
      'http:127.0.0.1',
      'http://127.0.0.1./',
    ],
    ...['http://metadata/', 'http://metadata./', 'https://a.LOCAL/', 'https://a.svc/', 'https://a.svc.cluster.local./'],
    ...['https://1.0.0.127.in-addr.arpa/', 'https://printer。local/', 'http://[::ffff:7f00:1]:8443/'],
    ...[
      'http://example.com:6379/',
      'https://example.com:22/',
      'https://example.com:1023/',
      'https://example.com:27017/',
    ],
  ])('%s is blocked', (url) => expect(codeOf(url)).toBe('blocked_target'));

  it.each([
    ...['http://example.com@127.0.0.1/', 'https://user@example.com/', 'https://:secret@example.com/'],
    ...[
      'http://127.0.0.1\\@example.com/',
      'https://example.com/\\',
      'https://exam\tple.com/',
      'https://example.com/\r\nx',
    ],
    ...[' https://example.com/', 'https://example.com/ ', '\u0000https://example.com/', 'https://example.com/\u007f'],
    ...[
      'gopher://127.0.0.1:6379/_FLUSHALL',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'ftp://example.com/',
      'data:,x',
    ],
    ...['http://256.256.256.256/', 'https://', '', 'example.com', '//example.com/', 'https://example.com:65536/'],
    ...['https://example.com/#', 'https://example.com/#x', 'https://example.com:0/', 'https://example..com/'],
    ...['https://.example.com/', 'https://example.com../', 'https://a!b.example.com/'],
    ...[`https://${'a'.repeat(64)}.example/`, `https://${'a.'.repeat(124)}example/`],
    ...[`https://example.com/${'a'.repeat(2_029)}`, `https://example.com/${'ü'.repeat(400)}`, 'a'.repeat(100_000)],
  ])('%j is invalid', (url) => expect(codeOf(url)).toBe('invalid_target'));

  it('is plain HTTP, unless it is switched on', () => {
    expect(codeOf('http://example.com/', strict)).toBe('invalid_target');
    expect(codeOf('http://example.com/', withHttp)).toBe('target');
  });

  it('tells no address and no cause from inside', () => {
    const parsed = parseTarget('http://0xA9FEA9FE/', withHttp);
    expect(parsed).toMatchObject({ kind: 'refused', message: expect.not.stringContaining('169') });
  });
});

describe('the built-in receiver', () => {
  const on: TargetRules = { ...strict, builtInReceiver: true };
  it.each([
    'http://receiver.posthorn.internal/ok',
    'http://RECEIVER.Posthorn.Internal:80/slow/10?x=1',
    'http:receiver.posthorn.internal',
    'http://receiver。posthorn.internal/',
    'http://%72eceiver.posthorn.internal/',
  ])('is meant by %s', (url) => {
    expect(parseTarget(url, on)).toMatchObject({ kind: 'target', origin: 'http://receiver.posthorn.internal' });
    expect(codeOf(url, withHttp)).toBe('blocked_target');
  });

  it.each([
    ['http://receiver.posthorn.internal./ok', 'blocked_target'],
    ['http://receiver.posthorn.internal:8080/ok', 'blocked_target'],
    ['http://receiver.posthorn.internal:443/ok', 'blocked_target'],
    ['https://receiver.posthorn.internal/ok', 'blocked_target'],
    ['http://a.receiver.posthorn.internal/ok', 'blocked_target'],
    ['http://posthorn.internal/ok', 'blocked_target'],
    ['http://receiver-posthorn.internal/ok', 'blocked_target'],
    ['http://user@receiver.posthorn.internal/ok', 'invalid_target'],
    ['http://receiver.posthorn.internal/ok#x', 'invalid_target'],
    ['http://receiver.posthorn.internal@127.0.0.1/', 'invalid_target'],
    ['http://receiver.posthorn.internal.example.com/ok', 'invalid_target'],
  ])('is not meant by %s', (url, code) => expect(codeOf(url, on)).toBe(code));
});

describe('what must be accepted', () => {
  it.each([
    ['https://example.com/', 'https://example.com/'],
    ['https://example.com:8443/x?y=1', 'https://example.com:8443/x?y=1'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
    ['https://172.32.0.1/', 'https://172.32.0.1/'],
    ['https://100.128.0.0/', 'https://100.128.0.0/'],
    ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]/'],
    ['HTTPS://EXAMPLE.COM', 'https://example.com/'],
    ['https://example.com./', 'https://example.com./'],
    ['https://my_service.example.com/a%20b', 'https://my_service.example.com/a%20b'],
    ['https://example.com:443/', 'https://example.com/'],
    ['https://notlocalhost.example/', 'https://notlocalhost.example/'],
    [`https://${'a'.repeat(63)}.example/`, `https://${'a'.repeat(63)}.example/`],
  ])('%s', (url, href) => {
    expect(parseTarget(url, strict)).toMatchObject({ kind: 'target', href });
  });

  it('is the longest name, and the longest URL', () => {
    const name = `${'a.'.repeat(122)}example.x`;
    expect(name.length).toBe(253);
    expect(codeOf(`https://${name}/`)).toBe('target');
    expect(codeOf(`https://${name}./`)).toBe('target');
    expect(codeOf(`https://a${name}/`)).toBe('invalid_target');
    expect(codeOf(`https://example.com/${'a'.repeat(2_028)}`)).toBe('target');
  });

  it('gives origin and path apart', () => {
    expect(parseTarget('https://example.com:8443/a/../b?c=%20', strict)).toEqual({
      kind: 'target',
      href: 'https://example.com:8443/b?c=%20',
      origin: 'https://example.com:8443',
      path: '/b?c=%20',
    });
  });

  it('is its own normal form', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
        const once = parseTarget(url, withHttp);
        if (once.kind === 'target') expect(parseTarget(once.href, withHttp)).toEqual(once);
      }),
    );
  });
});

describe('addresses allowed by configuration', () => {
  const rules: TargetRules = { addresses: addressRules({ allowCidrs: ['127.0.0.9', 'fd00::/8'] }), allowHttp: false };

  it.each([
    'http://127.0.0.9:6379/',
    'http://127.0.0.9:22/',
    'https://127.0.0.9/',
    'http://[fd00::1]:81/',
    'http://127.9/',
  ])('%s: any port, and plain HTTP', (url) => expect(codeOf(url, rules)).toBe('target'));
  it.each(['http://127.0.0.1/', 'http://[::7f00:9]/', 'http://[64:ff9b::7f00:9]/'])('%s stays blocked', (url) =>
    expect(codeOf(url, rules)).toBe('blocked_target'),
  );
  it('opens nothing for names', () => expect(codeOf('http://localhost:8080/', rules)).toBe('blocked_target'));
});

describe('spellings of one address', () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  const special = fc.constantFrom(
    ...([
      [127, 0, 0, 1],
      [10, 0, 0, 1],
      [169, 254, 169, 254],
      [172, 31, 255, 255],
    ] as const),
  );
  const anyAddress = fc.oneof(
    octets,
    special.map(([a, b, c, d]): [number, number, number, number] => [a, b, c, d]),
  );

  it('have one verdict', () => {
    fc.assert(
      fc.property(anyAddress, ([a, b, c, d]) => {
        const number = ((a * 256 + b) * 256 + c) * 256 + d;
        const hex = (value: number): string => value.toString(16);
        const octal = [a, b, c, d].map((part) => `0${part.toString(8)}`).join('.');
        const expected = verdict(`${a}.${b}.${c}.${d}`).allowed ? 'target' : 'blocked_target';
        const spellings = [
          ...[`${a}.${b}.${c}.${d}`, `${number}`, `0x${hex(number)}`, `0${number.toString(8)}`, octal],
          ...[`${a}.${(b * 256 + c) * 256 + d}`, `${a}.${b}.${c * 256 + d}`, `0x${hex(a)}.0x${hex(b)}.${c}.${d}`],
          ...[
            `[::ffff:${a}.${b}.${c}.${d}]`,
            `[::ffff:${hex(a * 256 + b)}:${hex(c * 256 + d)}]`,
            `${a}.${b}.${c}.${d}.`,
          ],
        ];
        for (const spelling of spellings)
          expect([spelling, codeOf(`http://${spelling}/`)]).toEqual([spelling, expected]);
      }),
      { numRuns: 300 },
    );
  });

  it('wrapped for translation or tunnels are denied, whatever they hold', () => {
    fc.assert(
      fc.property(anyAddress, ([a, b, c, d]) => {
        const [high, low] = [a * 256 + b, c * 256 + d].map((part) => part.toString(16));
        for (const wrapped of [
          `64:ff9b::${high}:${low}`,
          `2002:${high}:${low}::1`,
          `::${high}:${low}`,
          `::ffff:0:${high}:${low}`,
        ]) {
          expect([wrapped, codeOf(`http://[${wrapped}]/`)]).toEqual([wrapped, 'blocked_target']);
        }
      }),
    );
  });
});
