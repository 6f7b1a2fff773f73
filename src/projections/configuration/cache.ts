import type { Pool } from 'pg';
import type { HeadPosition } from '../../eventstore/read.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import {
  type ApplicationConfiguration,
  loadApplicationConfiguration,
  SUBSCRIPTION_COLUMNS,
  type SubscriptionConfiguration,
  type SubscriptionRow,
  toSubscriptionConfiguration,
} from './application-configuration.ts';
import { CONFIGURATION_TYPES } from './projections.ts';

const APPLICATIONS_MAX = 5_000;
const SUBSCRIPTIONS_MAX = 50_000;
const CHANGED_MAX = 1_000;

const FIND_SUBSCRIPTIONS = `
  SELECT ${SUBSCRIPTION_COLUMNS},
    (SELECT h.configuration_position::float8 FROM log_head AS h WHERE h.partition_no = subscription.partition_no) AS as_of
  FROM subscription WHERE subscription_id = ANY($1::uuid[])`;
const FIND_CHANGED = `
  SELECT ${SUBSCRIPTION_COLUMNS}, position::float8 AS position FROM subscription
  WHERE partition_no = $1 AND subscription.position > $2 ORDER BY subscription.position LIMIT ${CHANGED_MAX}`;

export type ConfigurationCache = {
  /** As last seen, which may be behind: whoever acts on it has the commit check its position. */
  application(applicationId: string): Promise<ApplicationConfiguration | undefined>;
  /** As it is now. */
  freshApplication(applicationId: string): Promise<ApplicationConfiguration | undefined>;
  /** As last seen, at most the time between two notices ago, and never older than `atLeast` of its configuration. */
  subscription(subscriptionId: string, atLeast?: number): Promise<SubscriptionConfiguration | undefined>;
  /** Told of where the heads are, forgets what has changed since; resolves when listeners know too. */
  notice(heads: readonly HeadPosition[]): Promise<void>;
  /** The same for a commit of this process. */
  noticeCommit(events: readonly RecordedEvent[]): void;
  onSubscriptionChanged(listener: (subscription: SubscriptionConfiguration) => void): void;
};

/** A subscription, and the configuration position of its log partition at which it was read. */
type Known = { readonly configuration: SubscriptionConfiguration; readonly asOf: number };

/** What events are routed and sent with, kept in memory and forgotten when the log says that it changed. */
export const createConfigurationCache = ({
  pool,
  onError,
}: {
  pool: Pool;
  onError: (error: unknown) => void;
}): ConfigurationCache => {
  const applications = new Map<string, Promise<ApplicationConfiguration | undefined>>();
  const byPartition = new Map<number, Set<string>>();
  const subscriptions = new Map<string, Promise<Known | undefined>>();
  const seen = new Map<number, number>();
  const listeners: ((subscription: SubscriptionConfiguration) => void)[] = [];
  let wanted: {
    subscriptionId: string;
    resolve: (found: Known | undefined) => void;
    reject: (error: unknown) => void;
  }[] = [];

  const freshApplication = (applicationId: string): Promise<ApplicationConfiguration | undefined> => {
    const loading = loadApplicationConfiguration(pool, applicationId).then(
      (configuration) => {
        // An id that names nothing is not remembered: made-up ids would fill the memory.
        if (!configuration) applications.delete(applicationId);
        else
          byPartition.set(
            configuration.partition,
            (byPartition.get(configuration.partition) ?? new Set()).add(applicationId),
          );
        return configuration;
      },
      (error: unknown) => {
        applications.delete(applicationId);
        throw error;
      },
    );
    if (applications.size >= APPLICATIONS_MAX) applications.delete(applications.keys().next().value ?? '');
    applications.set(applicationId, loading);
    return loading;
  };

  const load = (subscriptionId: string): Promise<Known | undefined> => {
    const loading = new Promise<Known | undefined>((resolve, reject) => {
      if (wanted.length === 0) setImmediate(() => void loadWanted());
      wanted.push({ subscriptionId, resolve, reject });
    });
    if (subscriptions.size >= SUBSCRIPTIONS_MAX) subscriptions.delete(subscriptions.keys().next().value ?? '');
    subscriptions.set(subscriptionId, loading);
    return loading;
  };

  const loadWanted = async (): Promise<void> => {
    const batch = wanted;
    wanted = [];
    try {
      const { rows } = await pool.query<SubscriptionRow & { as_of: number }>({
        name: 'find_subscriptions',
        text: FIND_SUBSCRIPTIONS,
        values: [batch.map(({ subscriptionId }) => subscriptionId)],
      });
      const found = new Map(
        rows.map((row) => [row.subscription_id, { configuration: toSubscriptionConfiguration(row), asOf: row.as_of }]),
      );
      for (const { subscriptionId, resolve } of batch) resolve(found.get(subscriptionId));
    } catch (error) {
      for (const { subscriptionId, reject } of batch) {
        subscriptions.delete(subscriptionId);
        reject(error);
      }
    }
  };

  const forget = async (partition: number, before: number): Promise<void> => {
    for (const applicationId of byPartition.get(partition) ?? []) applications.delete(applicationId);
    byPartition.delete(partition);
    for (let after = before; ; ) {
      const { rows } = await pool.query<SubscriptionRow & { position: number }>({
        name: 'find_changed_subscriptions',
        text: FIND_CHANGED,
        values: [partition, after],
      });
      for (const row of rows) {
        const changed = toSubscriptionConfiguration(row);
        subscriptions.delete(changed.subscriptionId);
        for (const listener of listeners) listener(changed);
      }
      const last = rows.at(-1);
      if (!last || rows.length < CHANGED_MAX) return;
      after = last.position;
    }
  };

  const notice = async (heads: readonly HeadPosition[]): Promise<void> => {
    for (const { partition, configurationPosition } of heads) {
      const before = seen.get(partition);
      if (before !== undefined && before >= configurationPosition) continue;
      seen.set(partition, configurationPosition);
      if (before === undefined) continue; // Nothing can be cached from before the first notice.
      try {
        await forget(partition, before);
      } catch (error) {
        seen.set(partition, before); // The next notice tries again.
        throw error;
      }
    }
  };

  return {
    freshApplication,
    application: (applicationId) => applications.get(applicationId) ?? freshApplication(applicationId),
    subscription: async (subscriptionId, atLeast = 0) => {
      const known = await subscriptions.get(subscriptionId);
      if (known && known.asOf >= atLeast) return known.configuration;
      return (await load(subscriptionId))?.configuration;
    },
    notice,
    noticeCommit: (events) => {
      const heads = new Map<number, HeadPosition>();
      for (const { type, partition, position } of events)
        if (CONFIGURATION_TYPES.has(type))
          heads.set(partition, { partition, position, configurationPosition: position });
      if (heads.size > 0) notice([...heads.values()]).catch(onError);
    },
    onSubscriptionChanged: (listener) => listeners.push(listener),
  };
};
