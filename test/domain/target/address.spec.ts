import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressRules, parseAddress, parseCidr, verdict } from '#src/domain/target/address.ts';

const allowed = (ip: string, rules = addressRules({})): boolean => verdict(ip, rules).allowed;

describe('an IPv4 address', () => {
  it.each([
    ...['0.0.0.0', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.0.0.1'],
    ...[
      '127.255.255.255',
      '169.254.169.254',
      '172.16.0.0',
      '172.31.255.255',
      '192.0.0.170',
      '192.0.2.1',
      '192.88.99.1',
    ],
    ...['192.168.0.1', '198.18.0.1', '198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.250'],
    ...['240.0.0.1', '255.255.255.255'],
  ])('%s is denied', (ip) => expect(allowed(ip)).toBe(false));

  it.each([
    ...['1.0.0.0', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
    ...['128.0.0.0', '169.253.255.255', '172.15.255.255', '172.32.0.1', '192.0.1.0', '192.167.255.255', '198.20.0.0'],
    ...['223.255.255.255'],
  ])('%s is allowed', (ip) => expect(verdict(ip)).toEqual({ allowed: true, by: 'public' }));
});

describe('an IPv6 address', () => {
  it.each([
    ...['::', '::1', '::7f00:1', '::127.0.0.1', '::5efe:7f00:1', '::ffff:0:7f00:1', '64:ff9b::a00:1', '64:ff9b:1::1'],
    ...['100::1', '2001::1', '2001:1ff:ffff::', '2001:db8::1', '2002:7f00:1::1', '3fff::1', '5f00::1', 'fc00::1'],
    ...['fd00:ec2::254', 'fe80::1', 'fec0::1', 'ff02::1', '4000::1', '1fff::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe'],
  ])('%s is denied', (ip) => expect(allowed(ip)).toBe(false));

  it.each([
    ...[
      '2606:4700:4700::1111',
      '2a00:1450:4001:810::200e',
      '2001:200::1',
      '2001:4860:4860::8888',
      '2003::1',
      '3ffe::1',
    ],
    ...['::ffff:8.8.8.8', '::ffff:808:808'],
  ])('%s is allowed', (ip) => expect(allowed(ip)).toBe(true));
});

describe('what is not an address', () => {
  it.each([
    ...[
      '',
      'localhost',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '1.2.3.256',
      '0x7f.0.0.1',
      '2130706433',
      ':',
      ':::',
      '1::2::3',
    ],
    ...[
      '2606:4700',
      '2606:4700:4700:0:0:0:0:0:1111',
      '2606:4700:4700:0:0:0:0::1111',
      '12345::',
      'fe80::1%eth0',
      '2606::g',
    ],
    ...['2606::1.2.3', '2606::1.2.3.4:1', '1.2.3.4 ', ' 8.8.8.8', '[2606::1]', '٨.٨.٨.٨'],
  ])('%j is denied', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(allowed(text)).toBe(false);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof verdict(text).allowed === 'boolean'));
  });
});

describe('what is ours', () => {
  const address = (ip: string) => parseAddress(ip) ?? { family: 4 as const, value: 0n };
  const ownEndpoints = [
    { address: address('8.8.8.8'), port: 5432, isWhole: true },
    { address: address('10.1.0.1'), port: 5432, isWhole: true },
    { address: address('1.1.1.1'), port: 8080, isWhole: false },
    { address: address('2606::1'), port: 8080, isWhole: false },
  ];
  const rules = addressRules({ allowCidrs: ['10.1.0.0/16'], ownEndpoints });
  it.each([
    ['8.8.8.8', 5432, false],
    ['8.8.8.8', 443, false],
    ['::ffff:8.8.8.8', 443, false],
    ['8.8.8.9', 5432, true],
    ['10.1.0.1', 5432, false],
    ['10.1.0.1', 443, true],
    ['1.1.1.1', 8080, false],
    ['1.1.1.1', 443, true],
    ['2606::1', 8080, false],
    ['2606:0::1', 443, true],
  ])('%s at port %i is allowed: %j', (ip, port, isAllowed) => {
    expect(verdict(ip, rules, port).allowed).toBe(isAllowed);
  });
});

describe('any IPv6 address', () => {
  const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
  /** Half of them where what is public is, so that both verdicts are met. */
  const anyGroups = fc.oneof(
    groups,
    groups.map(([, ...others]) => [0x2600, ...others]),
    groups.map(([, , ...others]) => [0x2001, 0x0db8, ...others]),
    fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([a, b]) => [0, 0, 0, 0, 0, 0xffff, a, b]),
  );
  const isOpen = ([a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0]: number[]): boolean => {
    if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff)
      return allowed([g >> 8, g & 255, h >> 8, h & 255].join('.'));
    const isReserved = (a === 0x2001 && (b < 0x200 || b === 0xdb8)) || a === 0x2002 || (a === 0x3fff && b < 0x1000);
    return a >= 0x2000 && a <= 0x3fff && !isReserved;
  };

  it('has one verdict in all its spellings, and is open only inside 2000::/3', () => {
    fc.assert(
      fc.property(anyGroups, (parts) => {
        const plain = parts.map((part) => part.toString(16)).join(':');
        const padded = parts.map((part) => part.toString(16).padStart(4, '0')).join(':');
        const [g = 0, h = 0] = parts.slice(6);
        const dotted = `${plain.split(':').slice(0, 6).join(':')}:${[g >> 8, g & 255, h >> 8, h & 255].join('.')}`;
        const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
        for (const spelling of [plain, padded, padded.toUpperCase(), dotted, short])
          expect([spelling, allowed(spelling)]).toEqual([spelling, isOpen(parts)]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('ranges by configuration', () => {
  const rules = addressRules({
    allowCidrs: ['127.0.0.9', '10.1.0.0/16', 'fd00::/8'],
    denyCidrs: ['10.1.2.0/24', '8.8.8.8'],
  });

  it.each(['127.0.0.9', '::ffff:127.0.0.9', '10.1.0.0', '10.1.255.255', 'fd12::1'])('%s is an exception', (ip) =>
    expect(verdict(ip, rules)).toEqual({ allowed: true, by: 'exception' }),
  );
  it.each(['127.0.0.1', '127.0.0.8', '10.2.0.0', '10.0.255.255', 'fc00::1', '::7f00:9', '64:ff9b::7f00:9'])(
    '%s is none',
    (ip) => expect(allowed(ip, rules)).toBe(false),
  );
  it.each(['10.1.2.3', '8.8.8.8', '::ffff:8.8.8.8'])('%s is denied before all else', (ip) =>
    expect(allowed(ip, rules)).toBe(false),
  );

  it('reads a mapped range as the IPv4 range it is', () => {
    expect(parseCidr('::ffff:10.0.0.0/104')).toEqual(parseCidr('10.0.0.0/8'));
  });
  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::/129',
    '::ffff:10.0.0.0/90',
    'x/8',
    '10.0.0.0/-1',
  ])('refuses %j when it is loaded', (text) => expect(() => parseCidr(text)).toThrow('not an address range'));
});
