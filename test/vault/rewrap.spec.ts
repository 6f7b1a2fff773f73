import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkEncryptionKeys } from '#src/vault/check.ts';
import { countDataKeys, rewrapDataKeys } from '#src/vault/rewrap.ts';
import { createVault, type EncryptionKey } from '#src/vault/vault.ts';
import { event, METADATA, newStream, openTestLog, type TestLog } from '../support/log.ts';

const key = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog(1);
});
afterAll(() => test.close());

it('a new key takes over while processes with the old one go on, and the old one can then go', async () => {
  const [old, fresh] = [key('old'), key('new')];
  // It looks at its data keys again each time it needs one.
  const before = createVault({ pool: test.pool, keys: [old], dataKeyKeptMs: 0 });
  const sealed = new Map<string, string>();
  const keep = async (vault: typeof before, plain: string, organizationId: string = randomUUID()) => {
    const sealedId = randomUUID();
    const write = await vault.seal({ organizationId, sealedId, plain });
    const streams = [
      { streamId: newStream(), partition: 0, expectedVersion: 'new' as const, events: [event('Kept', { sealedId })] },
    ];
    await test.log.append({ streams, metadata: METADATA, writes: [write] });
    sealed.set(sealedId, plain);
    return organizationId;
  };
  const organizationId = await keep(before, 'first');
  await keep(before, 'second');

  await expect(checkEncryptionKeys(test.pool, [fresh])).rejects.toThrow(
    'POSTHORN_ENCRYPTION_KEYS lacks key old, which wraps the data keys of 2 organizations.',
  );
  await expect(checkEncryptionKeys(test.pool, [fresh, key('old')])).rejects.toThrow('other bytes for key old');
  await checkEncryptionKeys(test.pool, [fresh, old]);
  await expect(rewrapDataKeys(test.pool, [fresh])).rejects.toThrow(/wrapped by key old/);
  expect(await rewrapDataKeys(test.pool, [fresh, old])).toBe(2);
  expect(await rewrapDataKeys(test.pool, [fresh, old])).toBe(0);
  expect(await countDataKeys(test.pool)).toEqual(new Map([['new', 2]]));

  await keep(before, 'sealed by a process that knows the data key still', organizationId);
  await checkEncryptionKeys(test.pool, [fresh]);
  const after = createVault({ pool: test.pool, keys: [fresh] });
  await keep(after, 'third', organizationId);
  expect(await after.open([...sealed.keys()])).toEqual(sealed);
});
