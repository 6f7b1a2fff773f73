import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { partitionOf } from '../../eventstore/partition.ts';
import { type Counts as Counted, countsAsOf, countsOf } from '../../projections/counts/queries.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { applicationFor } from '../scope.ts';

const Counts = z.object({
  events: z.int(),
  deliveries: z.object({
    pending: z.int().describe('Due, or under way.'),
    waiting: z.int().describe('For a later retry.'),
    succeeded: z.int(),
    dead_lettered: z.int(),
    cancelled: z.int(),
  }),
  request_attempts: z.object({
    pending: z.int(),
    waiting: z.int(),
    succeeded: z.int(),
    failed: z.int().describe('Without timeouts.'),
    timeout: z.int(),
    cancelled: z.int(),
  }),
  dead_letters: z.int(),
  subscriptions: z.int(),
  event_types: z.int().describe('Active ones.'),
});

const view = ({ deliveries, requestAttempts, ...counts }: Counted): z.output<typeof Counts> => {
  const { deadLettered, ...others } = deliveries;
  return {
    events: counts.events,
    deliveries: { ...others, dead_lettered: deadLettered },
    request_attempts: requestAttempts,
    dead_letters: counts.deadLetters,
    subscriptions: counts.subscriptions,
    event_types: counts.eventTypes,
  };
};

export const countsRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, partitions, now } = deps;

    app.get(
      '/counts',
      operation(
        {
          id: 'getCounts',
          tag: 'Applications',
          summary: 'Count what an application has',
          description: 'The counts follow what happens within a second.',
          problems: ['InvalidAsOf', 'NotFound', 'ReadModelBehind'],
        },
        { querystring: ApplicationQuery.extend(AsOfQuery.shape), response: { 200: Counts } },
      ),
      async (request) => {
        const { query } = request;
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'application:get', query.application_id, past);
        return view(
          await (past
            ? countsAsOf(past, applicationId, partitionOf(applicationId, partitions))
            : countsOf(pool, applicationId, now())),
        );
      },
    );
  };
