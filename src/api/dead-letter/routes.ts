import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { EventEvent, IngestedEvent } from '../../domain/event/events.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { listDeadLettersAsOf } from '../../projections/dead-letter/as-of.ts';
import { type DeadLetterRecord, listDeadLetters } from '../../projections/dead-letter/queries.ts';
import { PAGE_MAX } from '../../projections/page.ts';
import { createDeliveryCommands } from '../delivery/commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, PageQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { uuid } from '../http/strings.ts';
import { applicationFor } from '../scope.ts';
import { DEAD_LETTER_REASONS, DeadLetterFilterFields, toDeadLetterFilter } from './filter.ts';

/** Dead letters that one request replays: it has to end within a client's patience. */
const REPLAYED_MAX = 5_000;

const ReplayBody = z.object({
  application_id: uuid().optional().describe('May be left out with the secret of an application.'),
  filter: DeadLetterFilterFields.default({}).describe('Which ones; all of them when it is left out.'),
});
const Replayed = z.object({
  replayed: z.int(),
  skipped: z.int().describe('Their subscription is disabled or deleted.'),
  has_more: z.boolean().describe(`True when the request ended after ${REPLAYED_MAX}: ask again for the rest.`),
});
const DeadLetter = z.object({
  delivery_id: z.string(),
  application_id: z.string(),
  subscription_id: z.string(),
  event_id: z.string(),
  event_type_name: z.string(),
  reason: z.enum(DEAD_LETTER_REASONS),
  attempts: z.int(),
  dead_lettered_at: z.string(),
  last_failure: z.string().nullable(),
  last_http_status: z.int().nullable(),
});

const toDeadLetter = (letter: DeadLetterRecord): z.output<typeof DeadLetter> => ({
  delivery_id: letter.deliveryId,
  application_id: letter.applicationId,
  subscription_id: letter.subscriptionId,
  event_id: letter.eventId,
  event_type_name: letter.eventType,
  reason: letter.reason,
  attempts: letter.attempts,
  dead_lettered_at: letter.deadLetteredAt.toISOString(),
  last_failure: letter.lastFailure,
  last_http_status: letter.lastHttpStatus,
});

export const deadLetterRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, reader, partitions } = deps;
    const commands = createDeliveryCommands(deps);

    app.get(
      '/dead_letters',
      operation(
        {
          id: 'listDeadLetters',
          tag: 'Dead letters',
          summary: 'List deliveries that were given up and not replayed since',
          description:
            'The list follows what happens within a second. A page may be short, even empty, and still have a next one.',
          problems: ['InvalidAsOf', 'InvalidCursor', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        {
          querystring: PageQuery.extend(ApplicationQuery.shape)
            .extend(AsOfQuery.shape)
            .extend(DeadLetterFilterFields.shape),
          response: { 200: z.array(DeadLetter) },
        },
      ),
      async (request, reply) => {
        const { query } = request;
        const filter = toDeadLetterFilter(query);
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'dead_letter:list', query.application_id, past);
        const wanted = { ...filter, ...pageRequest(query) };
        const page = await (past
          ? listDeadLettersAsOf(past, applicationId, wanted)
          : listDeadLetters(pool, applicationId, wanted));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(toDeadLetter);
      },
    );

    const eventsOf = async (
      applicationId: string,
      letters: readonly DeadLetterRecord[],
    ): Promise<Map<string, IngestedEvent>> => {
      const partition = partitionOf(applicationId, partitions);
      const ids = new Set(letters.map(({ eventId }) => eventId));
      const events = (await reader.readStreams(
        [...ids].map((eventId) => ({ partition, streamId: `event:${applicationId}:${eventId}` })),
      )) as unknown as EventEvent[];
      return new Map(events.flatMap(({ type, data }) => (type === 'EventIngested' ? [[data.eventId, data]] : [])));
    };

    const replayPage = async (
      request: FastifyRequest,
      applicationId: string,
      letters: readonly DeadLetterRecord[],
    ): Promise<number> => {
      const events = await eventsOf(applicationId, letters);
      const done = await Promise.all(
        letters.map(async ({ eventId, subscriptionId }) => {
          const event = events.get(eventId);
          return event !== undefined && (await commands.replayIfActive(request, event, subscriptionId));
        }),
      );
      return done.filter(Boolean).length;
    };

    app.post(
      '/dead_letters/replay',
      operation(
        {
          id: 'replayDeadLetters',
          tag: 'Dead letters',
          summary: 'Replay all dead letters that match',
          problems: ['InvalidDateRange', 'NotFound'],
        },
        { body: ReplayBody, response: { 200: Replayed } },
      ),
      async (request) => {
        const { body } = request;
        const filter = toDeadLetterFilter(body.filter);
        const { applicationId } = await applicationFor(pool, request, 'dead_letter:replay', body.application_id);
        let [seen, replayed] = [0, 0];
        let cursor: string | undefined;
        do {
          const page = await listDeadLetters(pool, applicationId, { ...filter, limit: PAGE_MAX, cursor });
          seen += page.rows.length;
          replayed += await replayPage(request, applicationId, page.rows);
          cursor = page.nextCursor ?? undefined;
        } while (cursor !== undefined && seen < REPLAYED_MAX);
        return { replayed, skipped: seen - replayed, has_more: cursor !== undefined };
      },
    );
  };
