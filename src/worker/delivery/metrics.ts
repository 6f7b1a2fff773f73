/** What the worker reports of itself; the composition root turns it into metrics. */
export type WorkerMetrics = {
  /** One request attempt recorded. */
  readonly recorded: (outcome: 'succeeded' | 'failed' | 'dead_lettered' | 'cancelled', totalMs: number) => void;
  /** A result that came after another worker had taken over, or after the delivery was over: it changed nothing. */
  readonly late: () => void;
};
