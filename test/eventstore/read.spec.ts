import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogReader, type LogReader } from '#src/eventstore/read.ts';
import { appended, appendTo, event, newStream, openTestLog, type TestLog } from '../support/log.ts';

let log: TestLog;
beforeAll(async () => {
  log = await openTestLog();
});
afterAll(() => log.close());

describe('reading the log', () => {
  it.each([
    ['forwards', (reader: LogReader) => reader.readPartition(0, 0, 10)],
    ['backwards', (reader: LogReader) => reader.readPartitionBackwards(0, 1_000, 10)],
  ])('%s sorts nothing, whatever is in front of it', async (_, read) => {
    const statements: { text: string; values: unknown[] }[] = [];
    const db = {
      query: (statement: { text: string; values: unknown[] }) => {
        statements.push(statement);
        return log.pool.query(statement.text, statement.values);
      },
    };
    await read(createLogReader({ db: db as never, partitions: 4 }));
    const [statement] = statements;
    const { rows } = await log.pool.query(`EXPLAIN ${statement?.text}`, statement?.values);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('domain_event_pkey');
    expect(plan).not.toContain('Sort');
  });

  it('cuts streams and log partitions off where it is told to', async () => {
    const streamId = newStream();
    const events = appended(
      await log.log.append(appendTo(streamId, 1, 'new', ...'abcd'.split('').map((type) => event(type)))),
    );
    const upTo = events.events[1]?.position ?? 0;
    const streams = await log.reader.readStreams([{ partition: 1, streamId, upTo }]);
    expect(streams.map(({ type }) => type)).toStrictEqual(['a', 'b']);
    const ranges = await log.reader.readRanges([{ partition: 1, after: upTo - 1, upTo: upTo + 1 }]);
    expect(ranges.map(({ type }) => type)).toStrictEqual(['b', 'c']);
  });
});
