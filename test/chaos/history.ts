import { Pool } from 'pg';
import { verifyLog } from '#src/eventstore/verify.ts';
import { allProjections } from '#src/projections/index.ts';
import { checkProjection } from '#src/projections/maintenance.ts';

export type LoggedEvent = { readonly eventId: string; readonly sha256: string };

/** One domain event of a delivery's stream, as far as its order is concerned. */
export type Step = {
  readonly version: number;
  readonly type: string;
  /** Null where the domain event is about no attempt. */
  readonly attempt: number | null;
  /** Of a failure or an end that has one. */
  readonly reason: string | null;
};

export type LoggedDelivery = {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly subscriptionId: string;
  /** In order of position. */
  readonly steps: readonly Step[];
};

export type LogPartition = {
  readonly partition: number;
  readonly head: number;
  readonly count: number;
  readonly first: number | null;
  readonly last: number | null;
};

export type WorkListRow = { readonly deliveryId: string; readonly attempt: number; readonly isDue: boolean };

/** Everything the database has to say afterwards. */
export type History = {
  readonly events: readonly LoggedEvent[];
  readonly deliveries: readonly LoggedDelivery[];
  readonly partitions: readonly LogPartition[];
  readonly workList: readonly WorkListRow[];
  /** What `verifyLog` found. */
  readonly faults: readonly string[];
  /** Projections whose rows are not those of a rebuild, or that have not come to the end. */
  readonly projections: readonly string[];
};

const READ_EVENTS = `
  SELECT data->>'eventId' AS "eventId", data->>'payloadSha256' AS sha256 FROM domain_event WHERE type = 'EventIngested'`;
const READ_STEPS = `
  SELECT stream_id, stream_version, type, data->>'eventId' AS event_id, data->>'subscriptionId' AS subscription_id,
         (data->>'attemptNumber')::int AS attempt, data->>'reason' AS reason
  FROM domain_event WHERE stream_id LIKE 'delivery:%' ORDER BY partition_no, position`;
const READ_PARTITIONS = `
  SELECT h.partition_no AS partition, h.position::float8 AS head, count(e.position)::float8 AS count,
         min(e.position)::float8 AS first, max(e.position)::float8 AS last
  FROM log_head AS h LEFT JOIN domain_event AS e ON e.partition_no = h.partition_no
  GROUP BY h.partition_no, h.position ORDER BY h.partition_no`;
const READ_WORK_LIST = `
  SELECT delivery_id AS "deliveryId", attempt_number AS attempt, due_at <= clock_timestamp() AS "isDue" FROM pending_delivery`;
/** How many domain events the slowest projection has yet to apply. */
const READ_LAG = `
  SELECT coalesce(max(h.position - coalesce(c.position, 0)), 0)::float8 AS lag
  FROM unnest($1::text[]) AS p (processor) CROSS JOIN log_head AS h
  LEFT JOIN processor_checkpoint AS c ON c.processor = p.processor AND c.partition_no = h.partition_no`;

type StepRow = {
  stream_id: string;
  stream_version: number;
  type: string;
  event_id: string;
  subscription_id: string;
  attempt: number | null;
  reason: string | null;
};

export const readWorkList = async (pool: Pool): Promise<WorkListRow[]> =>
  (await pool.query<WorkListRow>(READ_WORK_LIST)).rows;

export const readLag = async (pool: Pool): Promise<number> => {
  const processors = allProjections
    .filter(({ mode }) => mode === 'async')
    .map(({ name, version }) => `${name}@${version}`);
  return (await pool.query<{ lag: number }>(READ_LAG, [processors])).rows[0]?.lag ?? 0;
};

const deliveriesOf = (rows: readonly StepRow[]): LoggedDelivery[] => {
  const deliveries = new Map<string, LoggedDelivery & { steps: Step[] }>();
  for (const row of rows) {
    const deliveryId = row.stream_id.slice('delivery:'.length);
    let delivery = deliveries.get(deliveryId);
    if (!delivery) {
      delivery = { deliveryId, eventId: row.event_id, subscriptionId: row.subscription_id, steps: [] };
      deliveries.set(deliveryId, delivery);
    }
    delivery.steps.push({ version: row.stream_version, type: row.type, attempt: row.attempt, reason: row.reason });
  }
  return [...deliveries.values()];
};

const differenceOf = async (ownerUrl: string, name: string): Promise<string | undefined> => {
  try {
    const { isEqual, live, rebuilt } = await checkProjection({ ownerUrl, name });
    return isEqual ? undefined : `has ${live[0]?.rows} rows and its rebuild ${rebuilt[0]?.rows}, or not the same`;
  } catch (error) {
    return `cannot be rebuilt: ${(error as Error).message}`;
  }
};

/** Reads it all, as the database's owner, once every process has stopped. */
export const readHistory = async (url: string): Promise<History> => {
  const pool = new Pool({ connectionString: url, max: 1 });
  try {
    const { faults } = await verifyLog(pool);
    const lag = await readLag(pool);
    const projections = lag === 0 ? [] : [`the slowest projection lacks ${lag} domain events of a log partition`];
    for (const { name } of allProjections) {
      const difference = await differenceOf(url, name);
      if (difference !== undefined) projections.push(`${name} ${difference}`);
    }
    return {
      events: (await pool.query<LoggedEvent>(READ_EVENTS)).rows,
      deliveries: deliveriesOf((await pool.query<StepRow>(READ_STEPS)).rows),
      partitions: (await pool.query<LogPartition>(READ_PARTITIONS)).rows,
      workList: await readWorkList(pool),
      faults: faults.map(({ partition, position, what }) => `log partition ${partition}, position ${position} ${what}`),
      projections,
    };
  } finally {
    await pool.end();
  }
};
