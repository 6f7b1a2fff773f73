import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = {
  readonly registry: Registry;
  readonly eventsIngested: Counter<'result'>;
  readonly deliveries: Counter<'outcome'>;
  readonly attemptSeconds: Histogram;
  readonly lateResults: Counter;
  readonly rateLimited: Counter<'limit'>;
};

/** Gauges that are asked for when somebody looks. */
export type Observed = {
  readonly inFlight: () => number;
  readonly queued: () => number;
  readonly appendsWaiting: () => number;
  readonly leases: () => { processor: string; held: number }[];
  readonly lags: () => { projection: string; lag: number }[];
  readonly parked: () => { projection: string; parked: number }[];
  readonly workList: () => Promise<{ pending: number; waiting: number }>;
  readonly pools: () => { pool: string; total: number; idle: number; waiting: number }[];
};

/** Everything `/metrics` shows, in Prometheus' naming: base units, `_total` on counters. */
export const createMetrics = (): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'posthorn_' });
  const registers = [registry];
  return {
    registry,
    eventsIngested: new Counter({
      name: 'posthorn_events_ingested_total',
      help: 'Events answered, by result: accepted, repeated or refused.',
      labelNames: ['result'],
      registers,
    }),
    deliveries: new Counter({
      name: 'posthorn_request_attempts_total',
      help: 'Request attempts recorded, by what became of the delivery.',
      labelNames: ['outcome'],
      registers,
    }),
    attemptSeconds: new Histogram({
      name: 'posthorn_request_attempt_seconds',
      help: 'Duration of request attempts, from the first look-up to the last byte read.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
      registers,
    }),
    rateLimited: new Counter({
      name: 'posthorn_rate_limited_total',
      help: 'Requests refused with 429, by limit: token, organization or address.',
      labelNames: ['limit'],
      registers,
    }),
    lateResults: new Counter({
      name: 'posthorn_late_results_total',
      help: 'Results that changed nothing, because another worker had taken over or the delivery was over.',
      registers,
    }),
  };
};

/** Adds the gauges, once everything that they look at exists. */
export const observe = ({ registry }: Metrics, observed: Observed): void => {
  const gauge = (
    name: string,
    help: string,
    collect: (gauge: Gauge<string>) => void | Promise<void>,
    labelNames: string[] = [],
  ): void => {
    const made: Gauge<string> = new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect: () => collect(made),
    });
  };
  gauge('posthorn_requests_in_flight', 'Requests to receivers under way in this process.', (g) =>
    g.set(observed.inFlight()),
  );
  gauge('posthorn_deliveries_queued', 'Deliveries in the memory of this process waiting for their turn.', (g) =>
    g.set(observed.queued()),
  );
  gauge('posthorn_appends_waiting', 'Appends waiting for the next commit.', (g) => g.set(observed.appendsWaiting()));
  gauge(
    'posthorn_partitions_held',
    'Log partitions that this process holds, by processor.',
    (g) => {
      for (const { processor, held } of observed.leases()) g.set({ processor }, held);
    },
    ['processor'],
  );
  gauge(
    'posthorn_projection_lag',
    'Domain events not yet applied by this process, by projection.',
    (g) => {
      for (const { projection, lag } of observed.lags()) g.set({ projection }, lag);
    },
    ['projection'],
  );
  gauge(
    'posthorn_projection_parked',
    'Log partitions at which a projection has stopped.',
    (g) => {
      for (const { projection, parked } of observed.parked()) g.set({ projection }, parked);
    },
    ['projection'],
  );
  gauge(
    'posthorn_deliveries_pending',
    'Deliveries in the work list, by whether they are due or waiting for a retry.',
    async (g) => {
      const { pending, waiting } = await observed.workList();
      g.set({ state: 'due' }, pending);
      g.set({ state: 'waiting' }, waiting);
    },
    ['state'],
  );
  gauge(
    'posthorn_pool_connections',
    'Database connections of this process, by pool and state.',
    (g) => {
      for (const { pool, total, idle, waiting } of observed.pools()) {
        g.set({ pool, state: 'total' }, total);
        g.set({ pool, state: 'idle' }, idle);
        g.set({ pool, state: 'waiting' }, waiting);
      }
    },
    ['pool', 'state'],
  );
};
