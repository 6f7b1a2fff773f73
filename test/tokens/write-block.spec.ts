import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Predicate, Term } from '#src/tokens/block.ts';
import { readBlock } from '#src/tokens/block.ts';
import { openEnvelope } from '#src/tokens/envelope.ts';
import { BiscuitBuilder, PrivateKey, SignatureAlgorithm } from '#src/tokens/library.ts';
import { writeAuthorityBlock } from '#src/tokens/write-block.ts';
import { later, NOW, SEED } from './support.ts';

const parameterOf = (term: Term): unknown => {
  if (term.kind === 'date') return { date: new Date(term.value * 1_000).toISOString() };
  return term.kind === 'integer' ? Number(term.value) : 'value' in term && term.value;
};

/** The same facts as the library encodes them. */
const byLibrary = (facts: readonly Predicate[], expiresAt: Date | undefined): Uint8Array | undefined => {
  const builder = new BiscuitBuilder();
  for (const { name, terms } of facts) {
    const parameters = Object.fromEntries(terms.map((term, index) => [`p${index}`, parameterOf(term)]));
    const names = Object.keys(parameters).map((key) => `{${key}}`);
    builder.addCodeWithParameters(`${name}(${names.join(', ')});`, parameters, {});
  }
  if (expiresAt)
    builder.addCodeWithParameters('check if time($t), $t < {e};', { e: { date: expiresAt.toISOString() } }, {});
  const token = builder.build(PrivateKey.fromBytes(SEED, SignatureAlgorithm.Ed25519)).toBase64();
  return openEnvelope(token, Number.POSITIVE_INFINITY).blocks[0]?.payload;
};

it('writes what the library would write', () => {
  const term: fc.Arbitrary<Term> = fc.oneof(
    fc
      .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('email', 'time', 'a', 't', ''))
      .map((value): Term => ({ kind: 'string', value })),
    fc.nat(0x7fff_ffff).map((value): Term => ({ kind: 'date', value })),
    fc.oneof(fc.nat(), fc.nat(0x7fff_ffff)).map((value): Term => ({ kind: 'integer', value: BigInt(value) })),
  );
  const fact = fc.record({
    name: fc.constantFrom('email', 'user_id', 'version', 'time', 'a'),
    terms: fc.array(term, { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(fact, { maxLength: 5 }), fc.option(fc.nat(9_999), { nil: undefined }), (facts, seconds) => {
      const expiresAt = seconds === undefined ? undefined : later(seconds);
      const written = writeAuthorityBlock(facts, expiresAt);
      expect(readBlock(written, []).facts).toEqual(facts);
      expect(written.toString('hex')).toBe(Buffer.from(byLibrary(facts, expiresAt) ?? []).toString('hex'));
    }),
    { numRuns: 200 },
  );
});

it.each<[string, Term]>([
  ['a boolean', { kind: 'bool', value: true }],
  ['a negative number', { kind: 'integer', value: -1n }],
  ['no number', { kind: 'date', value: Number.NaN }],
])('refuses %s', (_, term) => {
  expect(() => writeAuthorityBlock([{ name: 'a', terms: [term] }], NOW)).toThrow(TypeError);
});
