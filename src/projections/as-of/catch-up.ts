import { setTimeout as delay } from 'node:timers/promises';
import type { Queryable } from '../page.ts';
import type { Projection } from '../projection.ts';
import { processorName } from '../runner.ts';
import { type Cut, cutArray, cutAt } from './cut.ts';

/** A read model has not come as far as the past that is asked for. */
export class ReadModelBehind extends Error {
  readonly id = 'ReadModelBehind';

  constructor(projection: string, lag: number) {
    super(
      `The read model ${projection} is ${lag} domain event(s) short of the past that is asked for; try again shortly.`,
    );
    this.name = 'ReadModelBehind';
  }
}

const PATIENCE_MS = 2_000;
const INTERVAL_MS = 25;

const READ_LAG = `
  SELECT p.processor, sum(greatest(0, ${cutAt('$2', 'h.')} - coalesce(c.position, 0)))::float8 AS lag
  FROM unnest($1::text[]) AS p (processor) CROSS JOIN log_head AS h
  LEFT JOIN processor_checkpoint AS c ON c.processor = p.processor AND c.partition_no = h.partition_no
  GROUP BY p.processor
  ORDER BY lag DESC
  LIMIT 1`;

/** Resolves when these read models have applied all of the cut; throws ReadModelBehind after two seconds. */
export const awaitReadModels = async (
  db: Queryable,
  projections: readonly Projection[],
  cut: Cut,
  patienceMs = PATIENCE_MS,
): Promise<void> => {
  const names = new Map(projections.map((projection) => [processorName(projection), projection.name]));
  for (const until = Date.now() + patienceMs; ; ) {
    const { rows } = await db.query<{ processor: string; lag: number }>(READ_LAG, [[...names.keys()], cutArray(cut)]);
    const worst = rows[0];
    if (!worst || worst.lag === 0) return;
    if (Date.now() >= until) throw new ReadModelBehind(names.get(worst.processor) ?? worst.processor, worst.lag);
    await delay(INTERVAL_MS);
  }
};
