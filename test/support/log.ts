import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import type { DomainEventMetadata } from '#src/domain/metadata.ts';
import { createGroupCommit, type GroupCommit } from '#src/eventstore/group-commit.ts';
import { initialise } from '#src/eventstore/initialise.ts';
import { BY_KEY_ONLY, createAppPool } from '#src/eventstore/pool.ts';
import { createLogReader, type LogReader } from '#src/eventstore/read.ts';
import type { Append, AppendResult, NewDomainEvent } from '#src/eventstore/types.ts';
import { createTestDatabase } from './database.ts';

export const METADATA: DomainEventMetadata = { actor: 'master', causationId: 'test', correlationId: 'test' };

/** A log on a database of its own. */
export type TestLog = {
  readonly url: string;
  readonly partitions: number;
  readonly pool: Pool;
  /** The database's owner, who may do what the processes may not. */
  readonly owner: Pool;
  readonly log: GroupCommit;
  readonly reader: LogReader;
  /** A further writer with connections of its own, as another process would have. */
  readonly another: () => { log: GroupCommit; pool: Pool };
  readonly close: () => Promise<void>;
};

export const openTestLog = async (partitions = 4): Promise<TestLog> => {
  const database = await createTestDatabase();
  await initialise({ url: database.url, partitions });
  const pools: Pool[] = [];
  const open = (name: string): Pool => {
    const pool = createAppPool({ url: database.url, max: 4, name, settings: BY_KEY_ONLY });
    pools.push(pool);
    return pool;
  };
  const pool = open('test');
  const owner = new Pool({ connectionString: database.url, max: 2 });
  owner.on('error', () => undefined);
  owner.on('connect', (client) => client.on('error', () => undefined));
  pools.push(owner);
  return {
    url: database.url,
    partitions,
    pool,
    owner,
    log: createGroupCommit({ pool }),
    reader: createLogReader({ db: pool, partitions }),
    another: () => {
      const own = open('another');
      return { pool: own, log: createGroupCommit({ pool: own }) };
    },
    close: async () => {
      await Promise.all(pools.map((own) => own.end()));
      await database.drop();
    },
  };
};

export const event = (type: string, data: Record<string, unknown> = {}): NewDomainEvent => ({ type, data });

/** An append to a single stream. */
export const appendTo = (
  streamId: string,
  partition: number,
  expectedVersion: Append['streams'][number]['expectedVersion'],
  ...events: NewDomainEvent[]
): Append => ({ streams: [{ streamId, partition, expectedVersion, events }], metadata: METADATA });

export const appended = (result: AppendResult): Extract<AppendResult, { kind: 'appended' }> => {
  if (result.kind !== 'appended') throw new Error(`The append was refused: ${JSON.stringify(result)}.`);
  return result;
};

export const newStream = (): string => `test:${randomUUID()}`;
