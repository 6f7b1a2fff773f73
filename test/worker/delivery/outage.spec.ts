import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { execute } from '../../support/global-setup.ts';
import { answer, gate, type Receiver, sequence, startReceiver } from '../../support/receivers/index.ts';
import { type Cluster, openCluster, until } from './support.ts';

let receiver: Receiver;
let cluster: Cluster;
const held = gate();
beforeEach(async () => {
  receiver = await startReceiver({
    behaviours: { '/held': held.behaviour, '/failing': sequence(answer(500), answer(500), answer(200)) },
    behaviour: answer(200),
  });
  cluster = await openCluster({ POSTHORN_LEASE: '5s', POSTHORN_RETRY_SCHEDULE: '300ms×5' });
});
afterEach(async () => {
  await receiver.close();
  await cluster.stop();
});

/** Ends all connections of the processes, and those that they open anew, until `again` is called. */
const cutOff = async (): Promise<{ again: () => Promise<void> }> => {
  const server = inject('databaseServer').url;
  const name = new URL(cluster.url).pathname.slice(1);
  await execute(server, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await execute(
    server,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = '${name}' AND application_name LIKE 'posthorn%'`,
  );
  return { again: () => execute(server, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`) };
};

describe('a database that is away for a moment', () => {
  it('gets the results afterwards that came meanwhile, each once', async () => {
    const member = await cluster.start();
    const tenant = await cluster.tenant();
    await cluster.subscribe(tenant, `${receiver.url}/held`, { labels: { to: 'held' } });
    await cluster.subscribe(tenant, `${receiver.url}/failing`, { labels: { to: 'failing' } });
    const eventIds = await Promise.all(
      Array.from({ length: 20 }, () => cluster.ingest(tenant, { labels: { to: 'held' } })),
    );
    eventIds.push(await cluster.ingest(tenant, { labels: { to: 'failing' } }));
    await receiver.waitFor(21);
    await until(async () => expect(await cluster.history(eventIds.at(-1))).not.toHaveLength(1));

    const { again } = await cutOff();
    held.release();
    await until(() => expect(member.errors.length).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 1_200)); // The outage itself: it has to last.
    await again();

    await cluster.settled();
    const history = await cluster.history();
    expect(history.filter(({ type }) => type === 'AttemptSucceeded')).toHaveLength(21);
    expect(history.filter(({ type }) => type === 'AttemptFailed')).toHaveLength(2);
    expect(receiver.requests).toHaveLength(20 + 3);
    expect(await member.late()).toBe(0);
  });

  it('is caught up with: what was accepted right after it is sent', async () => {
    await cluster.start();
    const tenant = await cluster.tenant();
    await cluster.subscribe(tenant, `${receiver.url}/after`);
    await cluster.ingest(tenant);
    await receiver.waitFor(1);
    const { again } = await cutOff();
    await expect(cluster.ingest(tenant)).rejects.toThrow('503');
    await again();
    await until(() => cluster.ingest(tenant));
    await cluster.settled();
    expect(receiver.requests).toHaveLength(2);
  });
});
