import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonDepthExceeds, payloadBytes } from '#src/domain/event/payload.ts';

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const refusal = (code: string) => expect.objectContaining({ code });
const JSON_TYPE = 'application/json';
const BASE64_TYPE = 'application/octet-stream+base64';

describe('a text payload', () => {
  it.each(['', 'hello', 'Zoë ✓ 😀', '{"not": json', '\0'])('%j is kept as UTF-8', (text) =>
    expect(payloadBytes('text/plain', text)).toStrictEqual(Buffer.from(text)),
  );
  it.each([undefined, null, 1, {}])('%j is refused', (value) =>
    expect(() => payloadBytes('text/plain', value)).toThrow(refusal('EventInvalidPayloadContentType')),
  );
  it('with half a surrogate pair is refused', () =>
    expect(() => payloadBytes('text/plain', 'a\ud800')).toThrow(refusal('EventInvalidPayloadContentType')));
});

describe('a JSON payload', () => {
  it.each([
    '{}',
    ' {"b":1,\n"a":2} ',
    '1e400',
    '12345678901234567890123',
    '{"a":1,"a":2}',
    '"\\u0000"',
    '"\\ud800"',
    '{"__proto__":{"x":1}}',
    '"[[[["',
    '"\\\\"',
    '"\\"[[["',
    'null',
    nested(64),
  ])('%s is kept byte for byte', (text) => expect(payloadBytes(JSON_TYPE, text)).toStrictEqual(Buffer.from(text)));
  it.each([
    '',
    ' ',
    '{',
    'nope',
    "{'a':1}",
    '[1,]',
    '\ufeff{}',
    '"a',
    'NaN',
    '1 2',
    '"\ud800"',
    nested(65),
    nested(1_000_000),
  ])('that is wrong is refused (%#)', (text) =>
    expect(() => payloadBytes(JSON_TYPE, text)).toThrow(refusal('EventInvalidJsonPayload')),
  );
  it('does not show up in the refusal', () =>
    expect(() => payloadBytes(JSON_TYPE, 'hunter2')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter') }),
    ));
  it.each([null, true, 1, 1.5, [], {}, { a: [1, 'Zoë', null] }, JSON.parse(nested(64)), JSON.parse('{"__proto__":1}')])(
    'may be a value: %j',
    (value) => expect(payloadBytes(JSON_TYPE, value).toString()).toBe(JSON.stringify(value)),
  );
  it.each([
    undefined,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    { deep: [1e300] },
    ['\ud800'],
    { '\udc00': 1 },
    JSON.parse(nested(65)),
    JSON.parse(nested(100_000)),
  ])('may not be a value that JSON text would change (%#)', (value) =>
    expect(() => payloadBytes(JSON_TYPE, value)).toThrow(refusal('EventInvalidJsonPayload')),
  );
  it('of any shape keeps its text', () =>
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), (text) => {
        expect(payloadBytes(JSON_TYPE, text).toString()).toBe(text);
      }),
    ));
});

describe('a base64 payload', () => {
  it('of any bytes is decoded', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_000 }), (bytes) => {
        expect(payloadBytes(BASE64_TYPE, Buffer.from(bytes).toString('base64'))).toStrictEqual(Buffer.from(bytes));
      }),
    ));
  it.each(['QQ', 'QQ=', 'QR==', 'QQ==\n', ' QQ==', 'Q Q==', '-_-_', '!', 'QQ==QQ==', 'é'])('%j is refused', (text) =>
    expect(() => payloadBytes(BASE64_TYPE, text)).toThrow(refusal('EventInvalidBase64Payload')),
  );
  it('that is no string is refused', () =>
    expect(() => payloadBytes(BASE64_TYPE, {})).toThrow(refusal('EventInvalidPayloadContentType')));
});

it.each(['', 'application/xml', 'application/json; charset=utf-8', 'TEXT/PLAIN', '__proto__'])(
  'the content type %j is refused',
  (contentType) => expect(() => payloadBytes(contentType, '{}')).toThrow(refusal('EventInvalidPayloadContentType')),
);

describe('jsonDepthExceeds', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  it('counts as deep as the value is', () =>
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const depth = depthOf(value);
        for (const text of [JSON.stringify(value), JSON.stringify(value, null, 1)]) {
          expect(jsonDepthExceeds(text, depth)).toBe(false);
          expect(jsonDepthExceeds(text, depth - 1)).toBe(depth > 0);
        }
      }),
    ));
  it('ignores brackets in strings, behind any number of backslashes', () => {
    expect(jsonDepthExceeds('["\\"[[", "[[\\\\"]', 1)).toBe(false);
    expect(jsonDepthExceeds('["\\\\", [[]]]', 2)).toBe(true);
  });
  it('takes half a mebibyte of anything', () => {
    expect(jsonDepthExceeds('{"a":'.repeat(100_000), 64)).toBe(true);
    expect(jsonDepthExceeds(`"${'\\'.repeat(524_288)}`, 64)).toBe(false);
  });
});
