import { randomUUID } from 'node:crypto';
import { Biscuit, BlockBuilder, PublicKey, SignatureAlgorithm } from '#src/tokens/library.ts';
import { publicKeyOfSeed } from '#src/tokens/signing.ts';
import { createTokens } from '#src/tokens/tokens.ts';
import type { TokenRequest } from '#src/tokens/vocabulary.ts';

export const SEED = Buffer.alloc(32, 7);
export const OTHER_SEED = Buffer.alloc(32, 9);
export const NOW = new Date('2026-11-22T12:00:00Z');
export const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1_000);

export const tokens = createTokens({ keys: [{ id: '2026', key: SEED }] });
export const ROOT = PublicKey.fromBytes(publicKeyOfSeed(SEED), SignatureAlgorithm.Ed25519);

export const ORGANIZATION = '7f2b9d2e-0d0c-4a0e-9b53-0f1d3c1f8a11';
export const APPLICATION = '1c0d8a76-5d0e-4b52-8b3e-5f9d5a7c2e22';

export const serviceToken = (): string =>
  tokens.mintService({ tokenId: randomUUID(), organizationId: ORGANIZATION, createdAt: NOW }).token;

export const userClaims = {
  tokenId: 'b1d7c7f0-1111-4c7e-8a53-000000000001',
  sessionId: 'b1d7c7f0-1111-4c7e-8a53-000000000002',
  userId: 'b1d7c7f0-1111-4c7e-8a53-000000000003',
  email: 'ada@example.com',
  firstName: 'Ada',
  lastName: 'Lovelace',
  roles: [{ organizationId: ORGANIZATION, role: 'editor' }],
  createdAt: NOW,
  authenticatedAt: later(-60),
  expiresAt: later(300),
} as const;

export const ingest: TokenRequest = {
  action: 'event:ingest',
  now: NOW,
  organizationId: ORGANIZATION,
  applicationId: APPLICATION,
  allowedRoles: ['editor'],
  eventTypeNames: ['order.paid'],
  labels: { shop: 'berlin' },
};

/** What any holder of an open token can do with any Biscuit library: no gate of ours is asked. */
export const append = (token: string, datalog: string): string => {
  const parent = Biscuit.fromBase64(token, ROOT);
  const builder = new BlockBuilder();
  builder.addCode(datalog);
  const child = parent.appendBlock(builder);
  const text = child.toBase64();
  for (const object of [parent, builder, child]) object.free();
  return text;
};
