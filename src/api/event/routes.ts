import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { eventDecider } from '../../domain/event/decider.ts';
import type { EventCommand } from '../../domain/event/events.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { awaitReadModels } from '../../projections/as-of/catch-up.ts';
import { cutAtHeads } from '../../projections/as-of/cut.ts';
import { listAsOf } from '../../projections/as-of/page.ts';
import { listDeliveriesAsOf } from '../../projections/delivery/as-of.ts';
import { listDeliveries } from '../../projections/delivery/queries.ts';
import { listEventsAsOf } from '../../projections/event/as-of.ts';
import { LIST, listEvents } from '../../projections/event/queries.ts';
import { encodeCursor } from '../../projections/page.ts';
import { requestAttemptProjection } from '../../projections/request-attempt/projection.ts';
import { eraseAnswers, erasePayload, findPayloads } from '../../worklist/payload.ts';
import { DELIVERY_STATUSES, Delivery, viewDelivery } from '../delivery/view.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, instantQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { unchanged } from '../http/stored-body.ts';
import { entries, text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { applicationFor, metadataOf } from '../scope.ts';
import { createReplays, REPLAYED_EVENTS_MAX } from './replay.ts';
import { Event, EventWithPayload, readEvent, viewIngested, viewRecord } from './view.ts';

const EventParams = z.object({ event_id: uuid() });
const label = () => text(3, 101).refine((pair) => pair.includes(':'), 'must read key:value');
const EventsQuery = PageQuery.extend(ApplicationQuery.shape)
  .extend(AsOfQuery.shape)
  .extend({
    event_id: uuid().optional().describe('This one, if it matches the other filters.'),
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

const Replayed = z.object({
  replayed: z.int().describe('Deliveries that were started again or anew.'),
  skipped: z.int().describe('Their subscription is disabled or deleted, or the payload is no longer kept.'),
});
const ReplayedMany = Replayed.extend({ has_more: z.boolean().describe('True when more match than were replayed.') });
const ReplaySelectionBody = z.object({
  application_id: uuid().optional().describe('May be left out with the secret of an application.'),
  filter: z.object({
    event_type: text(1, 200).optional(),
    labels: entries('labels', 0).optional().describe('An event must carry all of these with equal values.'),
    from: instantQuery().optional().describe('Received then or later.'),
    to: instantQuery().optional().describe('Received before.'),
    delivery_status: z.enum(DELIVERY_STATUSES).optional().describe('With at least one delivery that stands so.'),
  }),
  subscription_id: uuid().optional().describe('Only to this subscription.'),
});
const Preview = z.object({
  events: z.int().describe(`Counting stops at ${REPLAYED_EVENTS_MAX}.`),
  is_exact: z.boolean().describe('False when more may match.'),
  deliveries: z.int().describe('Requests it would make.'),
  by_subscription: z.array(z.object({ subscription_id: z.string(), deliveries: z.int() })),
});

/** Throws InvalidDateRange. */
const selectionOf = ({ filter, subscription_id: subscriptionId }: z.output<typeof ReplaySelectionBody>) => {
  const { event_type: eventType, labels, from, to, delivery_status: status } = filter;
  if (from && to && from > to) throw new Problem('InvalidDateRange', '`from` is later than `to`.');
  return { filter: { eventType, labels, from, to, status }, subscriptionId };
};

/** Undefined where none are asked for, null where no event can carry all of them: a label has one value. */
const labelsOf = (given: string | readonly string[] | undefined): Record<string, string> | undefined | null => {
  if (given === undefined) return undefined;
  const pairs = [given].flat().map((pair) => {
    const colonAt = pair.indexOf(':');
    return [pair.slice(0, colonAt), pair.slice(colonAt + 1)] as const;
  });
  const labels = new Map(pairs);
  return pairs.every(([name, value]) => labels.get(name) === value) ? Object.fromEntries(labels) : null;
};

/** Events after they were ingested: read, found and replayed. */
export const eventRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, instancePool, vault, config, partitions, handle, reader, now } = deps;
    const replays = createReplays(deps);

    const payloadOf = async (event: {
      organizationId: string;
      applicationId: string;
      eventId: string;
      receivedAt: string;
    }) => {
      const { organizationId, applicationId, eventId, receivedAt } = event;
      const partition = partitionOf(applicationId, partitions);
      const found = await findPayloads(pool, vault, [
        { partition, organizationId, applicationId, eventId, receivedAt },
      ]);
      return unchanged(found.get(`${applicationId}:${eventId}`));
    };

    /** Where a list has to begin to begin with this event. */
    const cursorAt = async (list: string, applicationId: string, eventId: string): Promise<string | undefined> => {
      const [first] = await reader.readStream(`event:${applicationId}:${eventId}`, {
        partition: partitionOf(applicationId, partitions),
        limit: 1,
      });
      return first && encodeCursor(list, first.position + 1);
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
        const labels = labelsOf(query.labels);
        if (labels === null) return [];
        const filter = {
          eventType: query.event_type,
          labels,
          from: query.from,
          to: query.to,
          status: query.delivery_status,
          ...pageRequest(query),
        };
        const list = (asked: typeof filter) =>
          past ? listEventsAsOf(past, applicationId, asked) : listEvents(pool, applicationId, asked);
        if (query.event_id !== undefined) {
          const cursor = await cursorAt(past ? listAsOf(LIST, past.cut) : LIST, applicationId, query.event_id);
          const { rows } = cursor === undefined ? { rows: [] } : await list({ ...filter, limit: 1, cursor });
          return rows.filter(({ eventId }) => eventId === query.event_id).map(viewRecord);
        }
        const page = await list(filter);
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(viewRecord);
      },
    );

    app.get(
      '/events/:event_id',
      operation(
        {
          id: 'getEvent',
          tag: 'Events',
          summary: 'Read an event and its payload',
          problems: ['InvalidAsOf', 'StoredBodyChanged'],
        },
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

    app.delete(
      '/events/:event_id/payload',
      operation(
        {
          id: 'eraseEventPayload',
          tag: 'Events',
          summary: 'Erase the payload of an event',
          description:
            'With what receivers answered to it. The event stays, with the SHA-256 of its payload; deliveries that still wait for it become dead letters, and it cannot be replayed. After a 503 ask again: some answers may be left.',
          problems: ['ReadModelBehind'],
        },
        { params: EventParams, querystring: ApplicationQuery, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { event_id: eventId } = request.params;
        const application = await applicationFor(pool, request, 'event:erase', request.query.application_id);
        const { applicationId, organizationId } = application;
        const { receivedAt } = await readEvent(deps, applicationId, eventId);
        const partition = partitionOf(applicationId, partitions);
        const key = { partition, applicationId, eventId, receivedAt };
        await handle(
          eventDecider,
          { streamId: `event:${applicationId}:${eventId}`, partition },
          {
            type: 'EraseEventPayload',
            data: { applicationId, organizationId, eventId },
            metadata: { now: now() },
          } as EventCommand,
          metadataOf(request, eventId),
          () => ({ project: (_events, run) => erasePayload(run, key) }),
        );
        // Of attempts that were being recorded the read model tells a moment later. From now on no answer is kept without the payload.
        await awaitReadModels(instancePool, [requestAttemptProjection], await cutAtHeads(instancePool));
        await eraseAnswers((sql, values) => instancePool.query(sql, values), key);
        return reply.code(204).send(null);
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
            'Every subscription that matches it now is sent it again, those that never had it included; an attempt that is waiting becomes due. With `Prefer: return=representation` the answer says how many.',
          problems: ['PayloadGone'],
        },
        { params: EventParams, body: ReplayBody, response: { 200: Replayed, 204: NoContent } },
      ),
      async (request, reply) => {
        const { params, body } = request;
        const { applicationId } = await applicationFor(pool, request, 'event:replay', body?.application_id);
        const done = await replays.one(request, await readEvent(deps, applicationId, params.event_id));
        if (request.headers.prefer !== 'return=representation') return reply.code(204).send(null);
        return reply.header('preference-applied', 'return=representation').send(done);
      },
    );

    app.post(
      '/event_replays',
      operation(
        {
          id: 'replayEvents',
          tag: 'Events',
          summary: 'Replay all events that match, oldest first',
          description: `At most ${REPLAYED_EVENTS_MAX} of them. \`expected\` is how many the preview counted; when others match by now, nothing is replayed.`,
          problems: ['InvalidDateRange', 'NotFound', 'ReplayCountDiffers'],
        },
        {
          body: ReplaySelectionBody.extend({ expected: z.int().min(0).max(REPLAYED_EVENTS_MAX) }),
          response: { 200: ReplayedMany },
        },
      ),
      async (request) => {
        const { body } = request;
        const { applicationId } = await applicationFor(pool, request, 'event:replay', body.application_id);
        const { hasMore, ...done } = await replays.many(request, applicationId, selectionOf(body), body.expected);
        return { ...done, has_more: hasMore };
      },
    );

    app.post(
      '/event_replays/preview',
      operation(
        {
          id: 'previewReplay',
          tag: 'Events',
          summary: 'Say what a replay would send',
          problems: ['InvalidDateRange', 'NotFound'],
        },
        { body: ReplaySelectionBody, response: { 200: Preview } },
      ),
      async (request) => {
        const { body } = request;
        const { applicationId } = await applicationFor(pool, request, 'event:list', body.application_id);
        const { events, deliveries, bySubscription } = await replays.preview(applicationId, selectionOf(body));
        return {
          events: events.value,
          is_exact: events.isExact,
          deliveries,
          by_subscription: bySubscription.map((share) => ({
            subscription_id: share.subscriptionId,
            deliveries: share.deliveries,
          })),
        };
      },
    );
  };
