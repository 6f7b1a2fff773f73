import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { eventDecider } from '../../domain/event/decider.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { listDeliveriesAsOf } from '../../projections/delivery/as-of.ts';
import { listDeliveries } from '../../projections/delivery/queries.ts';
import { listEventsAsOf } from '../../projections/event/as-of.ts';
import { listEvents } from '../../projections/event/queries.ts';
import { findPayloads } from '../../worklist/payload.ts';
import { createDeliveryCommands } from '../delivery/commands.ts';
import { DELIVERY_STATUSES, Delivery, viewDelivery } from '../delivery/view.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, instantQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { applicationFor, metadataOf } from '../scope.ts';
import { Event, EventWithPayload, readEvent, viewIngested, viewRecord } from './view.ts';

/** Deliveries that one replay schedules at the same time. */
const REPLAYS_AT_ONCE = 50;

const EventParams = z.object({ event_id: uuid() });
const label = () => text(3, 101).refine((pair) => pair.includes(':'), 'must read key:value');
const EventsQuery = PageQuery.extend(ApplicationQuery.shape)
  .extend(AsOfQuery.shape)
  .extend({
    event_type: text(1, 200).optional(),
    labels: z
      .union([label(), z.array(label()).max(10)])
      .optional()
      .describe('`key:value`, split at the first colon; given several times, an event must carry all of them.'),
    from: instantQuery().optional().describe('Received then or later.'),
    to: instantQuery().optional().describe('Received before.'),
    delivery_status: z.enum(DELIVERY_STATUSES).optional().describe('With at least one delivery that stands so.'),
  });
const ReplayBody = z
  .object({ application_id: uuid().optional().describe('May be left out with the secret of an application.') })
  .nullish();

const labelsOf = (given: string | readonly string[] | undefined): Record<string, string> | undefined => {
  if (given === undefined) return undefined;
  const pairs = typeof given === 'string' ? [given] : given;
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)]));
};

/** Events after they were ingested: read, found and replayed. */
export const eventRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, configuration, partitions, handle, now } = deps;
    const deliveries = createDeliveryCommands(deps);

    const payloadOf = async (event: { applicationId: string; eventId: string; receivedAt: string }) => {
      const { applicationId, eventId, receivedAt } = event;
      const partition = partitionOf(applicationId, partitions);
      const found = await findPayloads(pool, [{ partition, applicationId, eventId, receivedAt }]);
      return found.get(`${applicationId}:${eventId}`);
    };

    app.get(
      '/events',
      operation(
        {
          id: 'listEvents',
          tag: 'Events',
          summary: 'List events, newest first',
          description:
            'The list follows what is ingested within a second. A page may be short, even empty, and still have a next one.',
          problems: ['InvalidAsOf', 'InvalidCursor', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        { querystring: EventsQuery, response: { 200: z.array(Event) } },
      ),
      async (request, reply) => {
        const { query } = request;
        if (query.from && query.to && query.from > query.to)
          throw new Problem('InvalidDateRange', '`from` is later than `to`.');
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'event:list', query.application_id, past);
        const filter = {
          eventType: query.event_type,
          labels: labelsOf(query.labels),
          from: query.from,
          to: query.to,
          status: query.delivery_status,
          ...pageRequest(query),
        };
        const page = await (past
          ? listEventsAsOf(past, applicationId, filter)
          : listEvents(pool, applicationId, filter));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(viewRecord);
      },
    );

    app.get(
      '/events/:event_id',
      operation(
        { id: 'getEvent', tag: 'Events', summary: 'Read an event and its payload', problems: ['InvalidAsOf'] },
        {
          params: EventParams,
          querystring: ApplicationQuery.extend(AsOfQuery.shape),
          response: { 200: EventWithPayload },
        },
      ),
      async (request) => {
        const { params, query } = request;
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'event:get', query.application_id, past);
        const event = await readEvent(deps, applicationId, params.event_id, past?.cut);
        const payload = await payloadOf(event);
        return { ...viewIngested(event), payload: payload?.toString('base64') ?? null };
      },
    );

    app.get(
      '/events/:event_id/deliveries',
      operation(
        {
          id: 'listEventDeliveries',
          tag: 'Events',
          summary: 'List the deliveries of an event',
          problems: ['InvalidAsOf', 'InvalidCursor', 'ReadModelBehind'],
        },
        {
          params: EventParams,
          querystring: PageQuery.extend(ApplicationQuery.shape).extend(AsOfQuery.shape),
          response: { 200: z.array(Delivery) },
        },
      ),
      async (request, reply) => {
        const { params, query } = request;
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'delivery:list', query.application_id, past);
        const { eventId, receivedAt } = await readEvent(deps, applicationId, params.event_id, past?.cut);
        const filter = { event: { eventId, receivedAt: new Date(receivedAt) }, ...pageRequest(query) };
        const page = await (past
          ? listDeliveriesAsOf(past, applicationId, filter)
          : listDeliveries(pool, applicationId, filter));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(viewDelivery);
      },
    );

    app.post(
      '/events/:event_id/replay',
      operation(
        {
          id: 'replayEvent',
          tag: 'Events',
          summary: 'Replay an event',
          description:
            'Every subscription that matches it now is sent it again, those that never had it included; an attempt that is waiting becomes due.',
          problems: ['PayloadGone'],
        },
        { params: EventParams, body: ReplayBody, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { params, body } = request;
        const { applicationId } = await applicationFor(pool, request, 'event:replay', body?.application_id);
        const event = await readEvent(deps, applicationId, params.event_id);
        const { eventId, organizationId } = event;
        if (!(await payloadOf(event)))
          throw new Problem('PayloadGone', `The payload of event ${eventId} is no longer kept; ingest it anew.`);
        const current = await configuration.freshApplication(applicationId);
        const matched = current?.routes.match(event) ?? [];
        let replayed = 0;
        for (let at = 0; at < matched.length; at += REPLAYS_AT_ONCE) {
          const done = await Promise.all(
            matched
              .slice(at, at + REPLAYS_AT_ONCE)
              .map(({ subscriptionId }) => deliveries.replayIfActive(request, event, subscriptionId)),
          );
          replayed += done.filter(Boolean).length;
        }
        // Last: it tells how many there are, and a replay that breaks off is asked for again.
        await handle(
          eventDecider,
          { streamId: `event:${applicationId}:${eventId}`, partition: partitionOf(applicationId, partitions) },
          {
            type: 'ReplayEvent',
            data: {
              applicationId,
              organizationId,
              eventId,
              configurationPosition: current?.configurationPosition ?? 0,
              deliveries: replayed,
            },
            metadata: { now: now() },
          },
          metadataOf(request, eventId),
        );
        return reply.code(204).send(null);
      },
    );
  };
