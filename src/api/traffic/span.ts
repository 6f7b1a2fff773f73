import { TRAFFIC_BUCKETS_MAX, TRAFFIC_MINUTES_MAX, type TrafficSpan } from '../../projections/traffic/queries.ts';
import { invalidField, Problem } from '../problems.ts';

const MINUTE_MS = 60_000;

/** A span that may be asked for. Throws InvalidDateRange, and a Validation problem for buckets there cannot be. */
export const trafficSpan = ({ from, to, buckets }: TrafficSpan): TrafficSpan => {
  if (from >= to) throw new Problem('InvalidDateRange', '`from` is not before `to`.');
  if (to.getTime() - from.getTime() > TRAFFIC_MINUTES_MAX * MINUTE_MS)
    throw new Problem('InvalidDateRange', `The range is longer than ${TRAFFIC_MINUTES_MAX} minutes.`);
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > TRAFFIC_BUCKETS_MAX)
    throw invalidField('buckets', 'out-of-range', `must be 1 to ${TRAFFIC_BUCKETS_MAX}`, {
      min: 1,
      max: TRAFFIC_BUCKETS_MAX,
    });
  return { from, to, buckets };
};

/** The last so many minutes before an instant. */
export const lastMinutes = (minutes: number, to: Date, buckets: number): TrafficSpan => ({
  from: new Date(to.getTime() - minutes * MINUTE_MS),
  to,
  buckets,
});
