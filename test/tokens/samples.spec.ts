import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { textOfToken } from '#src/tokens/envelope.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { AuthorizerBuilder, Biscuit, PublicKey, SignatureAlgorithm } from '#src/tokens/library.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { tokens } from './support.ts';

/** The sample tokens of Biscuit's specification with the results they must have: see samples/NOTICE. */
const file = (name: string): Buffer => readFileSync(new URL(`samples/${name}`, import.meta.url));

const world = z.object({
  facts: z.array(z.object({ facts: z.array(z.string()) })),
  checks: z.array(z.object({ checks: z.array(z.string()) })),
});
const samples = z
  .object({
    root_public_key: z.string(),
    testcases: z.array(
      z.object({
        title: z.string(),
        filename: z.string(),
        token: z.array(z.object({ code: z.string(), external_key: z.string().nullable() })),
        validations: z.record(
          z.string(),
          z.object({
            world: world.nullable(),
            result: z.union([z.object({ Ok: z.number() }), z.object({ Err: z.unknown() })]),
            authorizer_code: z.string(),
            revocation_ids: z.array(z.string()),
          }),
        ),
      }),
    ),
  })
  .parse(JSON.parse(file('samples.json').toString()));

const root = PublicKey.fromString(samples.root_public_key, SignatureAlgorithm.Ed25519);

/** What the library makes of it, in the words of the samples. */
const authorize = (bytes: Uint8Array, code: string) => {
  let revocationIds: unknown = [];
  let print = () => '';
  try {
    const biscuit = Biscuit.fromBytes(bytes, root);
    revocationIds = biscuit.getRevocationIdentifiers();
    const builder = new AuthorizerBuilder();
    builder.addCode(code);
    const authorizer = builder.buildAuthenticated(biscuit);
    print = () => authorizer.toString();
    const Ok = authorizer.authorizeWithLimits({ max_time_micro: 5_000_000 });
    return { result: { Ok }, revocationIds, world: print() };
  } catch (Err) {
    return { result: { Err }, revocationIds, world: print() };
  }
};

/** biscuit-wasm offers no way to give it external functions, so that a token which calls one is refused. */
const WITHOUT_FUNCTIONS = { Err: { Execution: { UndefinedExtern: 'test' } } };

const cases = samples.testcases.flatMap(({ filename, title, validations }) =>
  Object.entries(validations).map(([name, validation]) => ({
    filename,
    name: `${title} ${name}`.trim(),
    ...validation,
  })),
);

describe('the samples of the specification', () => {
  it.each(cases)('$filename: $name', ({ filename, authorizer_code, result, revocation_ids, world: expected }) => {
    const made = authorize(file(filename), authorizer_code);
    expect(made.result).toEqual(filename === 'test035_ffi.bc' ? WITHOUT_FUNCTIONS : result);
    expect(made.revocationIds).toEqual(revocation_ids);
    for (const fact of expected?.facts.flatMap(({ facts }) => facts) ?? []) expect(made.world).toContain(fact);
    for (const check of expected?.checks.flatMap(({ checks }) => checks) ?? []) expect(made.world).toContain(check);
  });

  const shown = samples.testcases.filter(
    ({ token, validations }) =>
      token.every(({ external_key }) => external_key === null) &&
      Object.values(validations).some(({ revocation_ids }) => revocation_ids.length > 0),
  );
  it.each(shown)('$filename is shown block by block, as it was written', ({ filename, token }) => {
    const { blocks } = inspect(textOfToken(file(filename)));
    expect(blocks.map(({ source }) => source)).toEqual(token.map(({ code }) => code.trimEnd()));
  });

  it.each(samples.testcases)('$filename opens nothing here: it names no root key of ours', ({ filename }) => {
    expect(() => tokens.verify(textOfToken(file(filename)), new Date(0))).toThrow(TokenRefused);
  });
});
