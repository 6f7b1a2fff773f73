import { describe, expect, it } from 'vitest';
import { prepareEd25519Key } from '#src/domain/signature/keys.ts';
import type { Predicate } from '#src/tokens/block.ts';
import { type Envelope, openEnvelope, textOfToken, writeEnvelope } from '#src/tokens/envelope.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { generateSigningKey, signBlock } from '#src/tokens/signing.ts';
import { field } from '#src/tokens/wire.ts';
import { dateOf, writeAuthorityBlock } from '#src/tokens/write-block.ts';
import { appendBytes } from './hostile.ts';
import { libraryDecision } from './library-decision.ts';
import { append, ingest, later, NOW, SEED, serviceToken, tokens, userClaims } from './support.ts';

const refusalOf = (token: string): string | undefined => {
  try {
    tokens.verify(token, NOW);
    return undefined;
  } catch (error) {
    if (error instanceof TokenRefused) return error.reason;
    throw error;
  }
};

const withProof = (token: string, change: (envelope: Envelope) => Envelope['proof'], blocks?: number): string => {
  const envelope = openEnvelope(token);
  const raws = envelope.blocks.slice(0, blocks).map(({ raw }) => raw);
  return textOfToken(writeEnvelope(envelope.rootKeyId, raws, change(envelope)));
};

const service = serviceToken();
const attenuated = append(service, 'check if action("event:get")');
const sealed = tokens.mintUserAccess(userClaims).token;
const sealOf = ({ proof }: Envelope): Buffer => Buffer.from('seal' in proof ? proof.seal : []);

describe('a token', () => {
  it('is refused without its last block', () => {
    expect(refusalOf(withProof(attenuated, ({ proof }) => proof))).toBeUndefined();
    expect(refusalOf(withProof(attenuated, ({ proof }) => proof, 1))).toBe('signature');
    expect(refusalOf(withProof(attenuated, () => ({ nextSecret: generateSigningKey().seed })))).toBe('signature');
    expect(refusalOf(withProof(attenuated, () => ({ nextSecret: Buffer.alloc(31) })))).toBe('malformed');
  });

  it('is refused with another seal', () => {
    const changed = (seal: Buffer): Buffer => Buffer.from(seal.map((byte, index) => (index === 9 ? byte ^ 1 : byte)));
    expect(refusalOf(withProof(sealed, (envelope) => ({ seal: sealOf(envelope) })))).toBeUndefined();
    expect(refusalOf(withProof(sealed, (envelope) => ({ seal: changed(sealOf(envelope)) })))).toBe('signature');
    expect(refusalOf(withProof(sealed, (envelope) => ({ seal: sealOf(envelope).subarray(1) })))).toBe('malformed');
    expect(refusalOf(withProof(sealed, () => ({ nextSecret: generateSigningKey().seed })))).toBe('signature');
  });

  it('is signed in the way that all libraries know', () => {
    expect(openEnvelope(service).blocks.map(({ signatureVersion }) => signatureVersion)).toEqual([0]);
  });

  it.each<[string, Buffer]>([
    ['of a version before Datalog', field(3, 2)],
    ['of a version to come', field(3, 7)],
    ['that names a symbol everybody knows', Buffer.concat([field(1, Buffer.from('time')), field(3, 6)])],
    ['that names a symbol of a block before', Buffer.concat([field(1, Buffer.from('token_id')), field(3, 6)])],
  ])('is refused with a block %s, as by the library', (_, payload) => {
    const token = appendBytes(service, payload);
    expect(refusalOf(token)).toBe('malformed');
    expect(libraryDecision(token, ingest).kind).toBe('unreadable');
  });

  it.each<[string, number, boolean]>([
    ['and', 13, false],
    ['or', 14, true],
  ])('may have an eager %s', (_, kind, isAllowed) => {
    const bool = (value: number): Buffer => field(1, field(1, field(6, value)));
    const expression = Buffer.concat([bool(1), bool(0), field(1, field(3, field(1, kind)))]);
    const query = Buffer.concat([field(1, field(1, 27)), field(3, expression)]);
    const token = appendBytes(service, Buffer.concat([field(3, 6), field(6, field(1, query))]));
    expect(tokens.permits(tokens.verify(token, NOW), ingest).allowed).toBe(isAllowed);
    expect(libraryDecision(token, ingest).kind).toBe(isAllowed ? 'passed' : 'failed');
  });

  it('is refused when it is attenuated and no service token, though it was left open', () => {
    const text = (name: string, value: string): Predicate => ({ name, terms: [{ kind: 'string', value }] });
    const facts: Predicate[] = [
      { name: 'version', terms: [{ kind: 'integer', value: 1n }] },
      text('type', 'refresh'),
      text('session_id', 's'),
      text('token_id', 't'),
      text('user_id', 'u'),
      { name: 'created_at', terms: [dateOf(NOW)] },
    ];
    const next = generateSigningKey();
    const { raw } = signBlock(prepareEd25519Key(SEED), {
      payload: writeAuthorityBlock(facts, later(60)),
      nextKey: next.publicKey,
      previousSignature: undefined,
    });
    const open = textOfToken(writeEnvelope(2026, [raw], { nextSecret: next.seed }));
    expect(refusalOf(open)).toBeUndefined();
    expect(refusalOf(append(open, 'check if true'))).toBe('gate');
  });
});
