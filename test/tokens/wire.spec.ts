import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openEnvelope, textOfToken } from '#src/tokens/envelope.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { field, Message } from '#src/tokens/wire.ts';
import { append, NOW, serviceToken, tokens } from './support.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('a message', () => {
  it('reads what was written', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 300 }), (number, bytes) => {
        const message = new Message(Buffer.concat([field(1, number), field(2, bytes)]), [1, 2]);
        expect(message.number(1)).toBe(number);
        expect(Buffer.from(message.bytes(2)).equals(bytes)).toBe(true);
      }),
    );
  });

  it.each([
    ['an unknown field', '18 01'],
    ['a number in more bytes than it needs', '08 81 00'],
    ['a field number in more bytes than it needs', '88 00 01'],
    ['a number beyond 64 bits', '08 ff ff ff ff ff ff ff ff ff 02'],
    ['a number beyond 32 bits, which a reader may cut to 0', '08 80 80 80 80 10'],
    ['a field twice', '08 01 08 02'],
    ['a fixed64', '09 0000000000000000'],
    ['a group', '0b 0c'],
    ['bytes where a number belongs', '0a 01 00'],
    ['bytes that are cut off', '12 05 00'],
    ['a number that is cut off', '08 80'],
    ['nothing', ''],
  ])('refuses %s', (_, bytes) => {
    expect(() => new Message(hex(bytes), [1, 2]).number(1)).toThrow(TokenRefused);
  });

  it('reads negative numbers', () => {
    expect(new Message(hex('08 ff ff ff ff ff ff ff ff ff 01'), [1]).signed(1)).toBe(-1n);
    expect(new Message(hex('08 05'), [1]).signed(1)).toBe(5n);
  });

  it('refuses texts that are not UTF-8', () => {
    expect(() => new Message(hex('0a 01 ff'), [1]).texts(1)).toThrow(TokenRefused);
  });
});

describe('a token of bytes', () => {
  const service = serviceToken();
  const attenuated = append(service, 'check if action("event:ingest")');

  it('is refused at any other byte', { timeout: 20_000 }, () => {
    const { bytes } = openEnvelope(attenuated);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (place, change) => {
        const changed = Buffer.from(bytes);
        changed[place] = (bytes[place] ?? 0) ^ change;
        expect(() => tokens.verify(textOfToken(changed), NOW)).toThrow(TokenRefused);
      }),
      { numRuns: 600 },
    );
  });

  it('throws nothing but TokenRefused, whatever it is', () => {
    const { bytes } = openEnvelope(attenuated);
    const spliced = fc
      .tuple(fc.nat(bytes.length), fc.nat(40), fc.uint8Array({ maxLength: 60 }))
      .map(([start, removed, inserted]) =>
        textOfToken(Buffer.concat([bytes.subarray(0, start), inserted, bytes.subarray(start + removed)])),
      )
      .filter((token) => token !== attenuated);
    const anything = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map(textOfToken),
      spliced,
    );
    fc.assert(
      fc.property(anything, (token) => {
        expect(() => tokens.verify(token, NOW)).toThrow(TokenRefused);
      }),
      { numRuns: 600 },
    );
  });
});
