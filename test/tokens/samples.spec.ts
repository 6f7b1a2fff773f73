import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readBlock } from '#src/tokens/block.ts';
import { isEd25519, openEnvelope, textOfToken } from '#src/tokens/envelope.ts';
import { runChecks } from '#src/tokens/evaluate.ts';
import { passGate } from '#src/tokens/gate.ts';
import { inspect } from '#src/tokens/inspect.ts';
import {
  AuthorizerBuilder,
  Biscuit,
  BiscuitBuilder,
  PrivateKey,
  PublicKey,
  SignatureAlgorithm,
} from '#src/tokens/library.ts';
import { printCheck } from '#src/tokens/print.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { passSignatures } from '#src/tokens/signatures.ts';
import { SEED, tokens } from './support.ts';

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

const unlessRefused = <T>(attempt: () => T): T | undefined => {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof TokenRefused) return undefined;
    throw error;
  }
};

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

  const opened = samples.testcases.flatMap(({ filename }) => {
    const envelope = unlessRefused(() => openEnvelope(textOfToken(file(filename))));
    return envelope ? [{ filename, envelope }] : [];
  });
  const signed = opened.filter(({ envelope }) =>
    envelope.blocks.every((block) => isEd25519(block) && !block.isThirdParty),
  );
  const rootKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(samples.root_public_key, 'hex').toString('base64url') },
    format: 'jwk',
  });
  it.each(signed)('$filename has signatures that hold here when they hold there', ({ filename, envelope }) => {
    const isHeld = { here: true, there: true };
    try {
      passSignatures(envelope, rootKey);
    } catch (error) {
      expect(error).toBeInstanceOf(TokenRefused);
      isHeld.here = false;
    }
    try {
      Biscuit.fromBytes(file(filename), root);
    } catch {
      isHeld.there = false;
    }
    expect(isHeld.here).toBe(isHeld.there);
  });

  /** What can be decided here: an authority block and an authorizer of facts and checks alone. */
  const gated = cases.flatMap(({ filename, authorizer_code, result, name }) => {
    const envelope = opened.find((sample) => sample.filename === filename)?.envelope;
    const code = /^([\s\S]*)allow if true;\s*$/.exec(authorizer_code)?.[1];
    const blocks = envelope && unlessRefused(() => passGate(envelope));
    return blocks && code !== undefined ? [{ filename, name, result, blocks, code }] : [];
  });
  const rules = z.object({
    FailedLogic: z.object({
      Unauthorized: z.object({ checks: z.array(z.record(z.string(), z.object({ rule: z.string() }))) }),
    }),
  });
  it.each(gated)('$filename: $name is decided alike', ({ blocks, code, result }) => {
    const builder = new BiscuitBuilder();
    builder.addCode(code);
    const token = builder.build(PrivateKey.fromBytes(SEED, SignatureAlgorithm.Ed25519)).toBase64();
    const authorizer = readBlock(openEnvelope(token).blocks[0]?.payload ?? new Uint8Array(), []);
    const checks = [authorizer, ...blocks].flatMap((block) => block.checks);
    const outcome = runChecks(checks, [...(blocks[0]?.facts ?? []), ...authorizer.facts], 1_000);
    const failed = 'Err' in result ? rules.parse(result.Err).FailedLogic.Unauthorized.checks : [];
    expect(outcome.kind === 'failed' ? outcome.checks.map(printCheck) : outcome.kind).toEqual(
      failed.length === 0 ? 'passed' : failed.flatMap((check) => Object.values(check).map(({ rule }) => rule)),
    );
  });

  it('are enough of those that we can take', () => {
    expect([signed.length, gated.length]).toEqual([34, 15]);
  });
});
