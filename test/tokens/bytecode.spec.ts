import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inspect } from '#src/tokens/inspect.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { field } from '#src/tokens/wire.ts';
import { appendBytes } from './hostile.ts';
import { libraryDecision } from './library-decision.ts';
import { ingest, NOW, serviceToken, tokens } from './support.ts';

const service = serviceToken();

/** Blocks of operations that no compiler would make of Datalog, encoded as they should be. */
const NAMES = ['action', 'a', 'labels', 'event_type_names'];
/** Those of the specification, the service token's and ours. */
const symbol = fc.oneof(fc.nat(27), fc.integer({ min: 1_024, max: 1_030 + NAMES.length }));
const scalar = fc.oneof(
  symbol.map((index) => field(1, index)),
  fc.nat(1_000).map((number) => field(2, number)),
  symbol.map((index) => field(3, index)),
  fc.nat(0x7fff_ffff).map((date) => field(4, date)),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => field(5, bytes)),
  fc.constantFrom(field(6, 0), field(6, 1), field(8, Buffer.alloc(0))),
);
const joined = (number: number, parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat(parts.map((part) => field(number, part)));
const collection = fc
  .tuple(fc.constantFrom(7, 9), fc.array(scalar, { maxLength: 3 }))
  .map(([kind, items]) => field(kind, joined(1, items)));
const term = fc.oneof({ weight: 5, arbitrary: scalar }, { weight: 2, arbitrary: collection });
const ALLOWED_BINARY = [0, 1, 2, 3, 4, 5, 6, 7, 13, 14, 20, 21, 22, 27];
const operation = fc.oneof(
  { weight: 5, arbitrary: term.map((value) => field(1, value)) },
  { weight: 2, arbitrary: fc.nat(2).map((kind) => field(2, field(1, kind))) },
  { weight: 4, arbitrary: fc.constantFrom(...ALLOWED_BINARY).map((kind) => field(3, field(1, kind))) },
);
const lazy = fc
  .tuple(fc.array(operation, { maxLength: 4 }), fc.constantFrom(23, 24))
  .map(([operations, kind]) => joined(1, [field(4, joined(2, operations)), field(3, field(1, kind))]));
const expression = fc
  .array(fc.oneof({ weight: 6, arbitrary: operation.map((part) => field(1, part)) }, { weight: 1, arbitrary: lazy }), {
    maxLength: 8,
  })
  .map((parts) => Buffer.concat(parts));
const predicate = fc
  .tuple(symbol, fc.array(term, { maxLength: 2 }))
  .map(([name, terms]) => Buffer.concat([field(1, name), joined(2, terms)]));
const query = fc
  .tuple(fc.array(predicate, { maxLength: 2 }), fc.array(expression, { maxLength: 2 }))
  .map(([predicates, expressions]) =>
    Buffer.concat([field(1, field(1, 27)), joined(2, predicates), joined(3, expressions)]),
  );
const check = fc
  .tuple(fc.array(query, { minLength: 1, maxLength: 2 }), fc.constantFrom(0, 2))
  .map(([queries, kind]) => Buffer.concat([joined(1, queries), ...(kind === 0 ? [] : [field(2, kind)])]));
const block = fc
  .tuple(fc.array(check, { minLength: 1, maxLength: 2 }), fc.constantFrom(3, 5, 6, 6, 6, 6, 6))
  .map(([checks, version]) =>
    Buffer.concat([...NAMES.map((name) => field(1, Buffer.from(name))), field(3, version), joined(6, checks)]),
  );

it('decides any operations as the library does, or refuses them', () => {
  const outcomes = { allowed: 0, denied: 0, gate: 0, malformed: 0 };
  fc.assert(
    fc.property(block, (payload) => {
      const token = appendBytes(service, payload);
      inspect(token);
      try {
        const { allowed } = tokens.permits(tokens.verify(token, NOW), ingest);
        expect(libraryDecision(token, ingest).kind).toBeOneOf(allowed ? ['passed'] : ['failed', 'broken']);
        outcomes[allowed ? 'allowed' : 'denied'] += 1;
      } catch (error) {
        if (!(error instanceof TokenRefused)) throw error;
        if (error.reason === 'malformed') expect(libraryDecision(token, ingest).kind).toBe('unreadable');
        outcomes[error.reason === 'malformed' ? 'malformed' : 'gate'] += 1;
      }
    }),
    { numRuns: 500 },
  );
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(0);
});
