import { type Client, Client as PgClient } from 'pg';
import { createLogFeed } from '#src/eventstore/feed.ts';
import type { RecordedEvent } from '#src/eventstore/types.ts';
import { asyncProjections } from '#src/projections/index.ts';
import type { Projection } from '#src/projections/projection.ts';
import { createProjectionRunner, type ProjectionRunner, runQueryOn } from '#src/projections/runner.ts';
import type { TestLog } from '#test/support/builders.ts';

/** Runs projections over all log partitions of a test log, woken by its commits. */
export const startRunners = async (
  { pool, log, reader, partitions }: TestLog,
  projections: readonly Projection[] = asyncProjections,
): Promise<{ runners: ProjectionRunner[]; errors: unknown[]; lag: () => number; stop: () => Promise<void> }> => {
  const errors: unknown[] = [];
  const feed = createLogFeed({ reader });
  const runners = projections.map((projection) =>
    createProjectionRunner({ pool, reader, feed, projection, onError: (error) => errors.push(error) }),
  );
  log.onCommit((events) => {
    feed.offer(events);
    for (const runner of runners) runner.noticeCommit(events);
  });
  for (const runner of runners)
    for (let partition = 0; partition < partitions; partition += 1) await runner.take(partition);
  const stop = async (): Promise<void> => {
    await Promise.all(runners.map((runner) => runner.stop()));
  };
  return { runners, errors, lag: () => runners.reduce((sum, runner) => sum + runner.lag(), 0), stop };
};

/** Applies to live tables without a runner, each batch as one. */
export const applyTo = async (
  client: Pick<Client, 'query'>,
  batches: readonly (readonly RecordedEvent[])[],
  projections: readonly Projection[] = asyncProjections,
  table: (name: string) => string = (name) => name,
): Promise<void> => {
  for (const batch of batches)
    for (const projection of projections) {
      const wanted = batch.filter(({ type }) => projection.canHandle.includes(type));
      if (wanted.length > 0) await projection.apply(wanted, { run: runQueryOn(client), table });
    }
};

export const openClient = async (url: string): Promise<Client> => {
  const client = new PgClient({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};
