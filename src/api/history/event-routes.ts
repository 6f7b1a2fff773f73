import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import type { EventEvent, IngestedEvent } from '../../domain/event/events.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { type Cause as Caused, causeOf, findCausedDeliveries } from '../../history/causation.ts';
import {
  countUnmatched,
  explain,
  listRoutingVerdicts,
  type Routing,
  type RoutingVerdict,
  routingsOf,
} from '../../history/routing.ts';
import { DELIVERY_STATUSES } from '../delivery/view.ts';
import type { ApiDeps } from '../deps.ts';
import { ApplicationQuery, PageQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { uuid } from '../http/strings.ts';
import { applicationIdOf, authorizeApplication } from '../scope.ts';

/** Replays of one event that are told; the oldest. */
const REPLAYS_SHOWN_MAX = 100;

const EventParams = z.object({ event_id: uuid() });
const Cause = z.object({
  at: z.string(),
  actor: z.string(),
  causation_id: z.string().describe('Such as the id of the request.'),
  correlation_id: z.string(),
  ip: z.string().nullable(),
});
const RoutingSummary = z.object({
  configuration: z.string().describe('`<log partition>:<position>` of the configuration it was routed with.'),
  matched: z.int(),
  not_matched: z.int(),
});
const Causation = z.object({
  event_id: z.string(),
  command: Cause,
  routing: RoutingSummary,
  replays: z.array(z.object({ command: Cause, routing: RoutingSummary })),
  deliveries: z.array(
    z.object({
      delivery_id: z.string(),
      subscription_id: z.string(),
      status: z.enum(DELIVERY_STATUSES),
      reason: z.string().nullable(),
      request_attempts: z.array(
        z.object({
          request_attempt_id: z.string(),
          attempt_number: z.int(),
          trigger: z.enum(['ingest', 'retry', 'replay']),
          scheduled: Cause.describe('What led to it.'),
          outcome: z.enum(['succeeded', 'failed', 'cancelled']).nullable(),
          reason: z.string().nullable(),
          http_status: z.int().nullable(),
          finished_at: z.string().nullable(),
        }),
      ),
    }),
  ),
  has_more_deliveries: z.boolean().describe('GET /api/v1/events/{event_id}/deliveries lists all.'),
});
const OUTCOMES = [
  'matched',
  'disabled',
  'deleted',
  'event_type',
  'label',
  'not_created',
  'test',
  'test_of_another',
] as const;
const Verdict = z.object({
  subscription_id: z.string(),
  outcome: z.enum(OUTCOMES).describe('Which rule decided; `matched` and `test` got it.'),
  explanation: z.string().describe('The outcome in a sentence.'),
  pattern: z.string().nullable().describe('The event type or pattern that matched.'),
  event_types: z.array(z.string()).nullable().describe('What it listened to, when none of it matched.'),
  label: z
    .object({ key: z.string(), wanted: z.string(), found: z.string().nullable() })
    .nullable()
    .describe('The label that the event lacked, or had with another value.'),
});
const RoutingQuery = PageQuery.extend(ApplicationQuery.shape).extend({
  replay: z.coerce.number().int().min(1).optional().describe('Of the n-th replay, instead of the ingest.'),
});

const viewCause = (cause: Caused): z.output<typeof Cause> => ({
  at: cause.at.toISOString(),
  actor: cause.actor,
  causation_id: cause.causationId,
  correlation_id: cause.correlationId,
  ip: cause.ip,
});

const viewVerdict = (
  { subscriptionId, explanation }: RoutingVerdict,
  event: IngestedEvent,
): z.output<typeof Verdict> => ({
  subscription_id: subscriptionId,
  outcome: explanation.outcome,
  explanation: explain(explanation, event),
  pattern: explanation.outcome === 'matched' ? explanation.pattern : null,
  event_types: explanation.outcome === 'event_type' ? [...explanation.eventTypes] : null,
  label:
    explanation.outcome === 'label'
      ? { key: explanation.key, wanted: explanation.wanted, found: explanation.found }
      : null,
});

/** Why an event went where it went, and what came of it. */
export const eventHistoryRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, reader, partitions } = deps;
    const source = { db: pool, reader };

    /** The event and the beginning of its stream; of a deleted application, too. */
    const load = async (
      request: FastifyRequest,
      action: Action,
      given: string | undefined,
      eventId: string,
    ): Promise<{ event: IngestedEvent; stream: readonly RecordedEvent[]; routings: readonly Routing[] }> => {
      const applicationId = applicationIdOf(request.principal, given);
      await authorizeApplication(reader, partitions, request, action, applicationId);
      const stream = await reader.readStream(`event:${applicationId}:${eventId}`, {
        partition: partitionOf(applicationId, partitions),
        limit: REPLAYS_SHOWN_MAX + 1,
      });
      const [first] = stream as unknown as readonly EventEvent[];
      if (first?.type !== 'EventIngested') throw notFound('event', eventId);
      return { event: first.data, stream, routings: routingsOf(stream) };
    };

    app.get(
      '/events/:event_id/causation',
      operation(
        {
          id: 'getEventCausation',
          tag: 'Events',
          summary: 'Read what led to an event, and what it led to',
          description:
            'The request that brought it, its routing, replays, and the newest deliveries with the attempts made for each.',
        },
        { params: EventParams, querystring: ApplicationQuery, response: { 200: Causation } },
      ),
      async (request) => {
        const { event, stream, routings } = await load(
          request,
          'event:get',
          request.query.application_id,
          request.params.event_id,
        );
        const { applicationId, eventId, receivedAt } = event;
        const { deliveries, hasMore } = await findCausedDeliveries(source, {
          applicationId,
          eventId,
          receivedAt: new Date(receivedAt),
        });
        const told: { command: z.output<typeof Cause>; routing: z.output<typeof RoutingSummary> }[] = [];
        for (const [index, recorded] of stream.entries()) {
          const routing = routings[index];
          if (!routing) continue;
          const { configuration, deliveries: matched } = routing;
          const not_matched = await countUnmatched(source, applicationId, routing);
          told.push({ command: viewCause(causeOf(recorded)), routing: { configuration, matched, not_matched } });
        }
        const [ingested, ...replays] = told;
        if (!ingested) throw notFound('event', eventId);
        return {
          event_id: eventId,
          ...ingested,
          replays,
          deliveries: deliveries.map(({ delivery, attempts }) => ({
            delivery_id: delivery.deliveryId,
            subscription_id: delivery.subscriptionId,
            status: delivery.status,
            reason: delivery.reason,
            request_attempts: attempts.map(({ attempt, trigger, cause }) => ({
              request_attempt_id: attempt.requestAttemptId,
              attempt_number: attempt.attemptNumber,
              trigger,
              scheduled: viewCause(cause),
              outcome: attempt.outcome,
              reason: attempt.reason,
              http_status: attempt.httpStatus,
              finished_at: attempt.finishedAt?.toISOString() ?? null,
            })),
          })),
          has_more_deliveries: hasMore,
        };
      },
    );

    app.get(
      '/events/:event_id/routing',
      operation(
        {
          id: 'listEventRouting',
          tag: 'Events',
          summary: 'Read why each subscription got an event, or why not',
          description:
            'For every subscription that the application ever had, by the configuration that the event was routed with. `replay` asks the same of a replay.',
          problems: ['InvalidCursor'],
        },
        { params: EventParams, querystring: RoutingQuery, response: { 200: z.array(Verdict) } },
      ),
      async (request, reply) => {
        const { params, query } = request;
        const { event, routings } = await load(request, 'event:get', query.application_id, params.event_id);
        const routing = routings[query.replay ?? 0];
        if (!routing) throw notFound('replay of this event', String(query.replay));
        const page = await listRoutingVerdicts(source, event, routing, pageRequest(query));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map((verdict) => viewVerdict(verdict, event));
      },
    );
  };
