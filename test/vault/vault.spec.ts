import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open, seal } from '#src/vault/envelope.ts';
import { BodyChanged, createVault, type EncryptionKey, type Vault } from '#src/vault/vault.ts';
import { event, METADATA, newStream, openTestLog, type TestLog } from '../support/log.ts';

const key = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog(1);
});
afterAll(() => test.close());

const vaultWith = (...keys: EncryptionKey[]): Vault => createVault({ pool: test.pool, keys });
/** Seals a value in the append that names its id, as every caller does. */
const keep = async (vault: Vault, plain: string, organizationId: string = randomUUID()) => {
  const sealedId = randomUUID();
  const write = await vault.seal({ organizationId, sealedId, plain });
  const streams = [
    { streamId: newStream(), partition: 0, expectedVersion: 'new' as const, events: [event('Kept', { sealedId })] },
  ];
  expect(await test.log.append({ streams, metadata: METADATA, writes: [write] })).toMatchObject({ kind: 'appended' });
  return { sealedId, organizationId };
};

describe('a sealed value', () => {
  it('opens for every process that has the key', async () => {
    const shared = key('a');
    const { sealedId } = await keep(vaultWith(shared), 'Bearer of news ✓');
    const other = vaultWith(shared);
    expect(await other.open([sealedId])).toEqual(new Map([[sealedId, 'Bearer of news ✓']]));
    expect(await other.open([sealedId])).toEqual(new Map([[sealedId, 'Bearer of news ✓']]));
  });

  it('is nowhere in clear, and never sealed twice alike', async () => {
    const vault = vaultWith(key('a'));
    const organizationId = randomUUID();
    const plain = 'a secret that must not be seen';
    const kept = [await keep(vault, plain, organizationId), await keep(vault, plain, organizationId)];
    const { rows } = await test.owner.query('SELECT ciphertext FROM sealed_value WHERE sealed_id = ANY($1::uuid[])', [
      kept.map(({ sealedId }) => sealedId),
    ]);
    expect(rows).toHaveLength(2);
    for (const { ciphertext } of rows) expect(ciphertext.includes(Buffer.from('secret'))).toBe(false);
    expect(rows[0]?.ciphertext).not.toEqual(rows[1]?.ciphertext);
    const log = await test.owner.query('SELECT data::text FROM domain_event');
    expect(JSON.stringify(log.rows)).not.toContain('secret');
  });

  it('does not open in the place of another, of the same organization or of another one', async () => {
    const shared = key('a');
    const vault = vaultWith(shared);
    const first = await keep(vault, 'first');
    const second = await keep(vault, 'second', first.organizationId);
    const foreign = await keep(vault, 'foreign');
    const copy = (from: { sealedId: string }, to: { sealedId: string }) =>
      test.owner.query(
        `UPDATE sealed_value SET ciphertext = (SELECT ciphertext FROM sealed_value WHERE sealed_id = $1) WHERE sealed_id = $2`,
        [from.sealedId, to.sealedId],
      );
    await copy(second, first);
    await expect(vaultWith(shared).open([first.sealedId])).rejects.toThrow();
    await copy(foreign, first);
    await expect(vaultWith(shared).open([first.sealedId])).rejects.toThrow();
    // Nor with the whole row said to belong to somebody else.
    await test.owner.query('UPDATE sealed_value SET organization_id = $1 WHERE sealed_id = $2', [
      foreign.organizationId,
      second.sealedId,
    ]);
    await expect(vaultWith(shared).open([second.sealedId])).rejects.toThrow();
    expect(await vaultWith(shared).open([foreign.sealedId])).toEqual(new Map([[foreign.sealedId, 'foreign']]));
  });

  it('does not open with the data key of another organization', async () => {
    const shared = key('a');
    const vault = vaultWith(shared);
    const [mine, theirs] = [await keep(vault, 'mine'), await keep(vault, 'theirs')];
    await test.owner.query(
      `UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE organization_id = $1) WHERE organization_id = $2`,
      [theirs.organizationId, mine.organizationId],
    );
    await expect(vaultWith(shared).open([mine.sealedId])).rejects.toThrow();
  });

  it('is missing from the answer once it or its key was destroyed', async () => {
    const shared = key('a');
    const vault = vaultWith(shared);
    const [kept, erased, gone] = [await keep(vault, 'kept'), await keep(vault, 'erased'), await keep(vault, 'gone')];
    await test.owner.query('DELETE FROM data_key WHERE organization_id = $1', [erased.organizationId]);
    await test.owner.query('DELETE FROM sealed_value WHERE sealed_id = $1', [gone.sealedId]);
    const wanted = [kept, erased, gone].map(({ sealedId }) => sealedId);
    expect(await vaultWith(shared).open([...wanted, randomUUID()])).toEqual(new Map([[kept.sealedId, 'kept']]));
  });
});

describe('values that were opened before', () => {
  it('are answered with others, however few are kept in memory', async () => {
    const vault = createVault({ pool: test.pool, keys: [key('a')], openedMax: 1 });
    const [first, second] = [await keep(vault, 'first'), await keep(vault, 'second')];
    await vault.open([first.sealedId]);
    expect([...(await vault.open([first.sealedId, second.sealedId])).values()]).toEqual(['first', 'second']);
    const [one, other] = await Promise.all([vault.open([first.sealedId]), vault.open([second.sealedId])]);
    expect([...one.values(), ...other.values()]).toEqual(['first', 'second']);
  });

  it('go with the data key of their organization', async () => {
    const vault = createVault({ pool: test.pool, keys: [key('a')], dataKeyKeptMs: 0 });
    const { sealedId, organizationId } = await keep(vault, 'gone');
    expect((await vault.open([sealedId])).get(sealedId)).toBe('gone');
    await test.owner.query('DELETE FROM data_key WHERE organization_id = $1', [organizationId]);
    expect(await vault.open([sealedId])).toEqual(new Map());
  });
});

describe('a body', () => {
  const body = Buffer.from('a payload');
  const context = 'payload of this event';
  const sealFor = async (vault: Vault, organizationId: string) =>
    (await vault.bodySealer(organizationId))(body, context);

  it('opens for every process that has the key, for its own organization alone', async () => {
    const shared = key('a');
    const [organizationId, another] = [randomUUID(), randomUUID()];
    const sealed = await sealFor(vaultWith(shared), organizationId);
    expect(await vaultWith(shared).openBody({ organizationId, sealed, context })).toEqual(body);
    await sealFor(vaultWith(shared), another);
    const elsewhere = await vaultWith(shared).openBody({ organizationId: another, sealed, context });
    expect(elsewhere).toBeInstanceOf(BodyChanged);
    expect(await vaultWith(shared).openBody({ organizationId, sealed, context: 'of another' })).toBeInstanceOf(
      BodyChanged,
    );
  });

  it('is sealed under one data key by all who begin at once', async () => {
    const shared = key('a');
    const organizationId = randomUUID();
    const vaults = [vaultWith(shared), vaultWith(shared)];
    const sealed = await Promise.all(
      vaults.flatMap((vault) => [sealFor(vault, organizationId), sealFor(vault, organizationId)]),
    );
    for (const one of sealed)
      expect(await vaultWith(shared).openBody({ organizationId, sealed: one, context })).toEqual(body);
  });

  it('is lost with the data key, which an organization that was erased does not get again', async () => {
    const shared = key('a');
    const organizationId = randomUUID();
    const other = createVault({ pool: test.pool, keys: [shared], dataKeyKeptMs: 0 });
    const sealed = await sealFor(other, organizationId);
    await test.owner.query('DELETE FROM data_key WHERE organization_id = $1', [organizationId]);
    expect(await other.openBody({ organizationId, sealed, context })).toBeUndefined();
    await test.owner.query(
      `INSERT INTO organization (organization_id, name, created_at, partition_no, position, erased_at) VALUES ($1, 'Gone', now(), 0, 1, now())`,
      [organizationId],
    );
    await expect(sealFor(vaultWith(shared), organizationId)).rejects.toThrow(
      `Organization ${organizationId} was erased`,
    );
    expect(await vaultWith(shared).openBody({ organizationId, sealed, context })).toBeUndefined();
  });
});

describe('keys', () => {
  it('that are older go on opening, and new organizations get the first of the list', async () => {
    const [old, young] = [key('old'), key('young')];
    const before = await keep(vaultWith(old), 'before');
    const rotated = vaultWith(young, old);
    expect(await rotated.open([before.sealedId])).toEqual(new Map([[before.sealedId, 'before']]));
    const same = await keep(rotated, 'of the same organization', before.organizationId);
    const after = await keep(rotated, 'after');
    const wrappedBy = async (organizationId: string) =>
      (await test.owner.query('SELECT key_id FROM data_key WHERE organization_id = $1', [organizationId])).rows;
    expect(await wrappedBy(before.organizationId)).toEqual([{ key_id: 'old' }]);
    expect(await wrappedBy(after.organizationId)).toEqual([{ key_id: 'young' }]);
    const opened = await vaultWith(young, old).open([before, same, after].map(({ sealedId }) => sealedId));
    expect([...opened.values()].sort()).toEqual(['after', 'before', 'of the same organization']);
  });

  it('that are missing are named, without any of their bytes', async () => {
    const lost = key('lost');
    const { sealedId, organizationId } = await keep(vaultWith(lost), 'value');
    const message = `The data key of organization ${organizationId} is wrapped by key lost, which POSTHORN_ENCRYPTION_KEYS lacks.`;
    await expect(vaultWith(key('other')).open([sealedId])).rejects.toThrow(message);
    expect(() => vaultWith()).toThrow('POSTHORN_ENCRYPTION_KEYS names no key.');
  });

  it('of the same name and other bytes open nothing', async () => {
    const { sealedId } = await keep(vaultWith(key('a')), 'value');
    await expect(vaultWith(key('a')).open([sealedId])).rejects.toThrow();
  });

  it('of an organization are made once, however many begin at the same time', async () => {
    const shared = key('a');
    const organizationId = randomUUID();
    const kept = await Promise.all(
      Array.from({ length: 10 }, (_, index) => keep(vaultWith(shared), `value ${index}`, organizationId)),
    );
    const opened = await vaultWith(shared).open(kept.map(({ sealedId }) => sealedId));
    expect([...opened.values()]).toEqual(Array.from({ length: 10 }, (_, index) => `value ${index}`));
  });
});

describe('an envelope', () => {
  const secret = randomBytes(32);

  it('opens to what was sealed', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.string(), (plain, context) => {
        expect(open(secret, seal(secret, Buffer.from(plain), context), context)).toEqual(Buffer.from(plain));
      }),
    ));

  it('does not open once a single bit was turned over, or in another context', () =>
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), (plain, at) => {
        const sealed = seal(secret, Buffer.from(plain), 'here');
        const bit = at % (sealed.length * 8);
        const turned = Buffer.from(sealed);
        turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => open(secret, turned, 'here')).toThrow();
        expect(() => open(secret, sealed, 'there')).toThrow();
      }),
    ));

  it.each(['whole', ''])('of "%s" does not open when it was cut short', (plain) => {
    const sealed = seal(secret, Buffer.from(plain), 'here');
    for (let length = 0; length < sealed.length; length += 1)
      expect(() => open(secret, sealed.subarray(0, length), 'here')).toThrow();
  });
});
