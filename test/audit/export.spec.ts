import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeExport } from '#src/audit/export.ts';
import { findBegun } from '#src/audit/export-file.ts';
import { eventLine, type Header, parseLine } from '#src/audit/format.ts';
import { LogFault } from '#src/audit/log-source.ts';
import { publicKeyOfWhpk } from '#src/domain/signature/keys.ts';
import { blockDigest, blockHash, eventDigest, genesisHash, shortDigest } from '#src/eventstore/chain.ts';
import { createChainCheck, recordedMs, type StoredEvent } from '#src/eventstore/chain-check.ts';
import { type SignedCheckpoint, signCheckpoint } from '#src/eventstore/signed-heads.ts';
import { deliveredEvent, openTestLog, type TestLog } from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { ALL, exportText, faultIn, fillLog, KEY, PUBLIC_KEYS, verifyFile } from './support.ts';

let directory: string;
let database: TestDatabase;
let log: TestLog;
let checkpoint: SignedCheckpoint;
/** An export of all of the log, line by line. */
let lines: string[];
let events: StoredEvent[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-export-'));
  database = await createTestDatabase();
  log = await openTestLog(database.url);
  await fillLog(log, 12);
  checkpoint = await signCheckpoint(log.pool, KEY, new Date());
  await Promise.all(Array.from({ length: 6 }, (_, index) => log.append(...deliveredEvent(`together ${index}`))));
  lines = (await exportText(log)).trimEnd().split('\n');
  events = lines.flatMap((text) => {
    const line = parseLine(text);
    return line?.kind === 'event' ? [line.event] : [];
  });
});
afterAll(async () => {
  await log.stop();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

const file = (): string => join(directory, `${randomUUID()}.ndjson`);
const text = (of: readonly string[]): string => of.map((line) => `${line}\n`).join('');
const headerOf = (of: readonly string[]): Header => {
  const line = parseLine(of[0] ?? '');
  if (line?.kind !== 'header') throw new Error('There is no header.');
  return line.header;
};
const place = ({ partition, position }: { partition?: number | undefined; position?: number | undefined }) => ({
  partition,
  position,
});

describe('an export', () => {
  it('holds every domain event, text for text, and verifies', async () => {
    const path = file();
    expect(await faultIn(path, text(lines))).toBeUndefined();
    const { rows } = await log.pool.query(
      `SELECT partition_no, position::int, data::text, metadata::text FROM domain_event ORDER BY partition_no, position`,
    );
    expect(
      events.map(({ partition, position, data, metadata }) => [partition, position, data, metadata]),
    ).toStrictEqual(rows.map((row) => [row.partition_no, row.position, row.data, row.metadata]));
    expect(await verifyFile(path)).toMatchObject({ events: rows.length, checkpoints: 1, checkpointFindings: [] });
  });

  it('of a range is widened to whole blocks, hangs on the block before, and verifies alone', async () => {
    const blocks = events.filter(({ blockHash: hash }) => hash !== null);
    const longest = blocks.findLast(({ partition, position }, index) => {
      const before = blocks[index - 1];
      return before?.partition === partition && position - before.position > 2 && before.position > 1;
    });
    const { partition = 0, position = 0 } = longest ?? {};
    const before = longest && blocks[blocks.indexOf(longest) - 1];
    const inside = [{ partition, position: position - 1 }];
    const part = (await exportText(log, { ...ALL, partitions: [partition], from: inside, to: inside }))
      .trimEnd()
      .split('\n');
    expect(headerOf(part).partitions).toStrictEqual([
      { partition, first: Number(before?.position) + 1, last: position, previous_hash: before?.blockHash },
    ]);
    expect(await faultIn(file(), text(part))).toBeUndefined();
  });

  it('ends with what was recorded at an instant', async () => {
    for (const { recordedAt } of [events[0], events[20], events.at(-1)].filter((event) => event !== undefined)) {
      const until = new Date(recordedMs(recordedAt)).toISOString();
      const part = (await exportText(log, { ...ALL, until })).trimEnd().split('\n');
      const held = part.filter((line) => line.startsWith('{"kind":"event"'));
      expect(held).toStrictEqual(
        lines.filter((line) => {
          const parsed = parseLine(line);
          return parsed?.kind === 'event' && recordedMs(parsed.event.recordedAt) <= Date.parse(until);
        }),
      );
      expect(await faultIn(file(), text(part))).toBeUndefined();
    }
  });

  it('can be of nothing at all', async () => {
    const nothing = await exportText(log, { ...ALL, until: '2001-01-01T00:00:00.000Z' });
    expect(await faultIn(file(), nothing)).toBeUndefined();
    expect(nothing.split('\n')).toHaveLength(3);
  });

  it('goes on from wherever it was cut off, to the same bytes', async () => {
    const whole = text(lines);
    const header = headerOf(lines);
    const bytes = Buffer.from(whole);
    const afterCheckpoint = Buffer.byteLength(text(lines.slice(0, 2)));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: Buffer.byteLength(lines[0] ?? '') + 1, max: bytes.length - 1 }),
        async (cut) => {
          const path = file();
          await writeFile(path, bytes.subarray(0, cut));
          const begun = await findBegun(path);
          if (begun.kind !== 'unfinished') throw new Error(`It is ${begun.kind}.`);
          const pieces: Buffer[] = [bytes.subarray(0, begun.bytes)];
          await writeExport(log.pool, begun.written, async (piece) => void pieces.push(piece));
          expect(begun.written.header).toStrictEqual(header);
          expect(Buffer.concat(pieces).toString()).toBe(whole);
          await rm(path);
        },
      ),
      { numRuns: 25, examples: [[afterCheckpoint], [afterCheckpoint + 1], [bytes.length - 1]] },
    );
  });
});

describe('verifying an export', () => {
  const first = () => lines.findIndex((line) => line.startsWith('{"kind":"event"'));
  const anyEvent = () => fc.nat(events.length - 1);

  it('names the place of every dropped, repeated or moved domain event', async () => {
    const path = file();
    await fc.assert(
      fc.asyncProperty(anyEvent(), fc.constantFrom('drop', 'repeat', 'swap'), anyEvent(), async (at, edit, other) => {
        fc.pre(edit !== 'swap' || at !== other);
        const edited = [...lines];
        const index = first() + at;
        const line = edited[index] ?? '';
        if (edit === 'drop') edited.splice(index, 1);
        else if (edit === 'repeat') edited.splice(index, 0, line);
        else {
          edited[index] = edited[first() + other] ?? '';
          edited[first() + other] = line;
        }
        const fault = await faultIn(path, text(edited));
        // A repeated one stands where the next has to be; after the very last, it is beyond the export itself.
        const expected =
          edit === 'repeat' ? (events[at + 1] ?? events[at]) : events[edit === 'swap' ? Math.min(at, other) : at];
        expect({ edit, ...place(fault ?? {}) }).toStrictEqual({ edit, ...place(expected ?? {}) });
      }),
      { numRuns: 60 },
    );
  });

  it('names the place of every change of a field', async () => {
    const path = file();
    const fields = [
      'data',
      'metadata',
      'type',
      'streamId',
      'streamVersion',
      'schemaVersion',
      'position',
      'digest',
    ] as const;
    await fc.assert(
      fc.asyncProperty(anyEvent(), fc.constantFrom(...fields), fc.nat(), async (at, field, where) => {
        const event = events[at];
        if (!event) throw new Error('There is no such domain event.');
        const value = event[field];
        const changed = typeof value === 'number' ? value + 1 + (where % 7) : changeOne(value, where);
        const edited = [...lines];
        edited[first() + at] = eventLine({ ...event, [field]: changed });
        expect(place((await faultIn(path, text(edited))) ?? {})).toStrictEqual(place(event));
      }),
      { numRuns: 80 },
    );
  });

  it('finds any change of any one byte, anywhere in the file', async () => {
    const path = file();
    const bytes = Buffer.from(text(lines));
    const inKey = bytes.indexOf('whpk_') + 9;
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const edited = Buffer.from(bytes);
        edited[at] = (edited[at] ?? 0) ^ by;
        expect(await faultIn(path, edited)).toBeInstanceOf(LogFault);
      }),
      { numRuns: 150, examples: [[inKey, (bytes[inKey] ?? 0) ^ 0x21]] },
    );
  });

  it('finds every truncated file, and names what is missing', async () => {
    const path = file();
    const bytes = Buffer.from(text(lines));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
        const whole = bytes.subarray(0, length).toString().split('\n').length - 1;
        const next = events[Math.max(0, whole - first())];
        const fault = await faultIn(path, bytes.subarray(0, length));
        expect(fault?.message).toContain('truncated');
        if (whole > 0) expect(place(fault ?? {})).toStrictEqual(place(next ?? {}));
      }),
      { numRuns: 40 },
    );
  });

  it('finds the block when the digest was forged with the domain event', async () => {
    const at = events.findIndex(({ type }) => type === 'AttemptSucceeded');
    const event = events[at];
    if (!event) throw new Error('There is no attempt.');
    const forged = { ...event, data: event.data.replace('200', '201') };
    const edited = [...lines];
    edited[first() + at] = eventLine({ ...forged, digest: shortDigest(eventDigest(forged)) });
    const fault = await faultIn(file(), text(edited));
    expect(fault?.partition).toBe(event.partition);
    expect(fault?.message).toMatch(/or another up to \d+ was changed/);
    expect(fault?.position).toBeLessThanOrEqual(event.position);
  });

  it('finds a line spelled in another way, though the whole file was hashed anew', async () => {
    const trailer = parseLine(lines.at(-1) ?? '');
    if (trailer?.kind !== 'trailer') throw new Error('There is no trailer.');
    const at = first() + 2;
    const spelled = lines.slice(0, -1).with(at, (lines[at] ?? '').replace('"position":', '"position": '));
    const sha256 = createHash('sha256').update(text(spelled)).digest('hex');
    const fault = await faultIn(file(), text([...spelled, JSON.stringify({ ...trailer.trailer, sha256 })]));
    expect(place(fault ?? {})).toStrictEqual(place(events[2] ?? {}));
  });

  it('takes no text that breaks lines, whatever its digest', () => {
    const previousHash = genesisHash(headerOf(lines).instance_id, 0);
    const event = { ...events[0], partition: 0, position: 1, data: '{}\n', metadata: '{}' } as StoredEvent;
    const digested = { ...event, digest: shortDigest(eventDigest(event)), blockHash: null };
    expect(createChainCheck({ partition: 0, after: 0, previousHash }).add(digested)).toMatchObject({
      kind: 'fault',
      fault: { position: 1, what: expect.stringContaining('line break') },
    });
  });

  it('finds an instant moved by a microsecond, in all of its block', async () => {
    const { partition, recordedAt } = events[0] ?? { partition: 0, recordedAt: '' };
    const edited = lines.map((line) =>
      line.includes(`"partition":${partition},`) ? line.replace(recordedAt, recordedAt.replace('000Z', '001Z')) : line,
    );
    expect(place((await faultIn(file(), text(edited))) ?? {})).toStrictEqual(place(events[0] ?? {}));
  });
});

describe('an export whose chain was forged from a place on', () => {
  /** Changes one domain event and makes all that follows from it anew, as whoever owns the database can. */
  const forge = (): string[] => {
    const victim = events.find(({ type }) => type === 'AttemptSucceeded');
    const { instance_id: instanceId, partitions } = headerOf(lines);
    const ends: { partition: number; position: number; hash: string }[] = [];
    const forged: string[] = lines.filter(
      (line) => !line.startsWith('{"kind":"event"') && !line.startsWith('{"kind":"trailer"'),
    );
    for (const { partition, last } of partitions) {
      let previous = genesisHash(instanceId, partition);
      let block: StoredEvent[] = [];
      for (const event of events.filter((own) => own.partition === partition)) {
        const data = event === victim ? event.data.replace('"httpStatus":200', '"httpStatus":204') : event.data;
        block.push({ ...event, data, digest: shortDigest(eventDigest({ ...event, data })) });
        if (event.blockHash === null) continue;
        const from = block[0]?.position ?? 0;
        previous = blockHash(previous, blockDigest(block.map(eventDigest)), from, recordedMs(event.recordedAt));
        const hash = previous.toString('hex');
        for (const [index, own] of block.entries())
          forged.push(eventLine(index === block.length - 1 ? { ...own, blockHash: hash } : own));
        block = [];
      }
      ends.push({ partition, position: last, hash: previous.toString('hex') });
    }
    const sha256 = createHash('sha256').update(text(forged)).digest('hex');
    const trailer = { kind: 'trailer', partitions: ends, events: events.length, checkpoints: 1, sha256 };
    return [...forged, JSON.stringify(trailer)];
  };

  it('is found by the signed checkpoints in it, and by one kept elsewhere', async () => {
    const path = file();
    await writeFile(path, text(forge()));
    expect((await verifyFile(path)).checkpointFindings).toHaveLength(1);
    expect((await verifyFile(path, { checkpoints: [checkpoint] })).checkpointFindings).toHaveLength(2);
  });

  it('and signed with a key of the forger is found by the public key known from elsewhere', async () => {
    const path = file();
    await writeFile(path, text(lines));
    const known = new Map(PUBLIC_KEYS.map(({ key_id, public_key }) => [key_id, publicKeyOfWhpk(public_key)]));
    expect((await verifyFile(path, { publicKeys: known })).checkpointFindings).toStrictEqual([]);
    const [finding] = (await verifyFile(path, { publicKeys: new Map() })).checkpointFindings;
    expect(finding).toContain('which is not among the public keys given');
  });

  it('or that ends before a checkpoint kept elsewhere does not stand against it', async () => {
    const path = file();
    const until = new Date(recordedMs(events[2]?.recordedAt ?? '')).toISOString();
    await writeFile(path, await exportText(log, { ...ALL, until }));
    expect((await verifyFile(path)).checkpointFindings).toStrictEqual([]);
    expect((await verifyFile(path, { checkpoints: [checkpoint] })).checkpointFindings).not.toStrictEqual([]);
  });
});

/** Another letter in the place of one. */
const changeOne = (value: string, where: number): string => {
  const at = where % value.length;
  return `${value.slice(0, at)}${value[at] === '1' ? '2' : '1'}${value.slice(at + 1)}`;
};
