import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  TRAFFIC_BUCKETS_MAX,
  TRAFFIC_MINUTES_MAX,
  TRAFFIC_SUBSCRIPTIONS_MAX,
  type TrafficBucket,
  trafficAsOf,
  trafficOf,
} from '../../projections/traffic/queries.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, instantQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { uuid } from '../http/strings.ts';
import { applicationFor } from '../scope.ts';
import { lastMinutes, trafficSpan } from './span.ts';

const MINUTES = 60;

const Query = ApplicationQuery.extend({
  ...AsOfQuery.shape,
  from: instantQuery().optional().describe('Inclusive; an hour before `to` when it is left out.'),
  to: instantQuery().optional().describe('Exclusive; now, or the instant of `as_of`, when it is left out.'),
  buckets: z.coerce
    .number()
    .int()
    .min(1)
    .max(TRAFFIC_BUCKETS_MAX)
    .default(MINUTES)
    .describe('How many equal parts at most. A part is whole minutes.'),
  subscription_id: uuid().optional().describe('Only of this subscription.'),
});

const Bucket = z.object({
  from: z.string().describe('Inclusive.'),
  to: z.string().describe('Exclusive.'),
  events: z.int().describe('Events ingested; 0 where it is about a subscription.'),
  succeeded: z.int().describe('Requests that succeeded.'),
  failed: z.int().describe('Requests that failed, timeouts included.'),
  timeouts: z.int(),
  dead_lettered: z.int().describe('Deliveries that were given up.'),
  p50_ms: z.number().nullable().describe('Within 10 %; null without requests.'),
  p95_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
});
const Traffic = z.object({
  total: Bucket,
  buckets: z.array(Bucket).describe('Oldest first, without gaps.'),
  subscriptions: z
    .array(z.object({ subscription_id: z.string(), total: Bucket, buckets: z.array(Bucket) }))
    .describe('Those with any traffic, by the share that failed, then by how many requests.'),
});

const view = ({ from, to, deadLettered, p50Ms, p95Ms, p99Ms, ...counts }: TrafficBucket): z.output<typeof Bucket> => ({
  from: from.toISOString(),
  to: to.toISOString(),
  ...counts,
  dead_lettered: deadLettered,
  p50_ms: p50Ms,
  p95_ms: p95Ms,
  p99_ms: p99Ms,
});

export const trafficRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, now } = deps;

    app.get(
      '/traffic',
      operation(
        {
          id: 'getTraffic',
          tag: 'Applications',
          summary: 'Throughput, outcomes and durations over time',
          description: [
            'By the instants at which they were recorded, in whole minutes (UTC): the last part ends with the minute that',
            '`to` falls into, and where the minutes cannot be shared out equally, the first begins earlier than `from`.',
            `At most ${TRAFFIC_MINUTES_MAX} minutes and the ${TRAFFIC_SUBSCRIPTIONS_MAX} worst subscriptions. As of the past,`,
            'it ends before the minute that `as_of` falls into.',
          ].join(' '),
          problems: ['InvalidAsOf', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        { querystring: Query, response: { 200: Traffic } },
      ),
      async (request) => {
        const { query } = request;
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'application:get', query.application_id, past);
        const to = query.to ?? past?.cut.instant ?? now();
        const from = query.from ?? lastMinutes(MINUTES, to, query.buckets).from;
        const asked = {
          ...trafficSpan({ from, to, buckets: query.buckets }),
          subscriptionId: query.subscription_id,
        };
        const found = await (past ? trafficAsOf(past, applicationId, asked) : trafficOf(pool, applicationId, asked));
        return {
          total: view(found.total),
          buckets: found.buckets.map(view),
          subscriptions: found.subscriptions.map(({ subscriptionId, total, buckets }) => ({
            subscription_id: subscriptionId,
            total: view(total),
            buckets: buckets.map(view),
          })),
        };
      },
    );
  };
