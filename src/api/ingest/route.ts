import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { PayloadContentType } from '../../domain/event/events.ts';
import { payloadBytes } from '../../domain/event/payload.ts';
import { TEST_METADATA } from '../../domain/event/test-event.ts';
import { authorize } from '../auth/authorize.ts';
import { actorOf, type Principal } from '../auth/principal.ts';
import type { ApiDeps } from '../deps.ts';
import { toProblem } from '../http/errors.ts';
import { operation } from '../http/operation.ts';
import { entries, text, uuid } from '../http/strings.ts';
import { validate } from '../http/validation.ts';
import { invalidField, type Problem, problemDocument } from '../problems.ts';
import { applicationIdOf } from '../scope.ts';
import { inTurns } from './in-turns.ts';
import type { Ingested, IngestRequest } from './ingest.ts';
import { rawElements, rawMember } from './raw-values.ts';

/** Of the body of a single event, unless the largest payload asks for more. */
const BODY_BYTES_MIN = 2 * 1024 * 1024;
/** A payload may come escaped, and base64 makes four characters of three bytes. */
const BODY_BYTES_PER_PAYLOAD_BYTE = 4;
const EVENTS_MAX = 1_000;
/** Twice the payload in base64 would not fit a larger one anyway; the batch carries many. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** Of a batch, so much is read, hashed, deflated and sealed in one turn of the event loop: some 10 ms. */
const TURN_CHARACTERS = 512 * 1024;

export const EventBody = z
  .object({
    application_id: uuid().optional().describe('May be left out with the secret of an application.'),
    event_id: uuid()
      .nullish()
      .describe('Names the event for ever; sent again with equal content it is not ingested again.'),
    event_type: text(1, 200).describe('Two or more parts joined by dots, as created with POST /event_types.'),
    payload: z
      .unknown()
      .describe(
        'The body to deliver: a string, or with application/json any JSON value, which is sent exactly as written.',
      ),
    payload_content_type: text(1, 100).optional().describe('application/json unless given.'),
    metadata: entries('metadata', 0)
      .nullish()
      .refine((metadata) => !metadata || !Object.hasOwn(metadata, TEST_METADATA), {
        message: `must not name ${TEST_METADATA}, which marks test events`,
      })
      .describe('Kept with the event, not delivered.'),
    labels: entries('labels', 0).nullish().describe('What subscriptions select by.'),
    occurred_at: z.iso.datetime({ offset: true }).nullish(),
  })
  .refine((event) => event.payload !== undefined, { path: ['payload'], message: 'is required' });
type EventBody = z.output<typeof EventBody>;

const Accepted = z.object({ application_id: z.string(), event_id: z.string(), received_at: z.string() });
const Outcome = z.object({
  status: z.number().int(),
  event: Accepted.optional(),
  problem: z.unknown().optional(),
});
const Batch = z.object({ events: z.array(z.unknown()).min(1).max(EVENTS_MAX) });

const isBatch = (body: unknown): boolean => typeof body === 'object' && body !== null && 'events' in body;

const acceptedOf = ({ applicationId, eventId, receivedAt }: Ingested) => ({
  application_id: applicationId,
  event_id: eventId,
  received_at: receivedAt,
});

/** `raw` is the JSON text that the event was read from: a payload that is not a string is cut out of it as written. */
const bytesOf = (body: EventBody, raw: () => string, bytesMax: number): Buffer => {
  const contentType = body.payload_content_type ?? 'application/json';
  const isText = typeof body.payload === 'string';
  // As characters of base64, at the most: before anything is made of them.
  if (isText && (body.payload as string).length > Math.ceil(bytesMax / 3) * 4) throw tooLarge(bytesMax);
  const payload = isText || contentType !== 'application/json' ? body.payload : (rawMember(raw(), 'payload') ?? 'null');
  const bytes = payloadBytes(contentType, payload);
  if (bytes.length > bytesMax) throw tooLarge(bytesMax);
  return bytes;
};

const tooLarge = (bytesMax: number): Problem =>
  invalidField('payload', 'too-big', `must have at most ${bytesMax} bytes`, { max: bytesMax });

/** Refusals of a single event. */
const PROBLEMS = [
  'EventAlreadyIngested',
  'EventInvalidAgainstSchema',
  'EventInvalidBase64Payload',
  'EventInvalidJsonPayload',
  'EventInvalidPayloadContentType',
  'EventTypeDoesNotExist',
  'NotFound',
] as const;

/** `POST /event` with its batch form; the hot path of the product. */
export const ingestRoutes =
  ({ ingest, config, onIngested, rateGuard }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const bodyBytesMax = Math.max(BODY_BYTES_MIN, BODY_BYTES_PER_PAYLOAD_BYTE * config.payloadBytesMax);
    const accept = async (
      body: EventBody,
      raw: () => string,
      principal: Principal,
      requestId: string,
      ip: string,
    ): Promise<Ingested> => {
      const applicationId = applicationIdOf(principal, body.application_id);
      const labels = body.labels ?? {};
      const request: IngestRequest = {
        applicationId,
        eventId: body.event_id ?? undefined,
        eventType: body.event_type,
        contentType: (body.payload_content_type ?? 'application/json') as PayloadContentType,
        body: bytesOf(body, raw, config.payloadBytesMax),
        labels,
        metadata: body.metadata ?? {},
        occurredAt: body.occurred_at == null ? null : new Date(body.occurred_at).toISOString(),
        actor: actorOf(principal),
        authorize: (organizationId) =>
          authorize(principal, 'event:ingest', {
            organizationId,
            applicationId,
            eventTypes: [body.event_type],
            labels,
          }),
        applicationSecretId: principal.kind === 'application_secret' ? principal.secretId : undefined,
        requestId,
        ip,
      };
      try {
        const ingested = await ingest(request);
        onIngested(ingested.isRepeat ? 'repeated' : 'accepted');
        return ingested;
      } catch (error) {
        onIngested('refused');
        throw error;
      }
    };

    app.post(
      '/event',
      {
        bodyLimit: bodyBytesMax,
        ...operation(
          {
            id: 'ingestEvent',
            tag: 'Events',
            summary: 'Ingest an event',
            description:
              'Answers 201 once the event and an attempt for every matching subscription are committed durably, or 200 with the first answer when the same event was ingested before.',
            problems: PROBLEMS,
          },
          { body: EventBody, response: { 200: Accepted, 201: Accepted } },
        ),
        // The answer is ours and flat: checking it against its schema would cost more than writing it.
        serializerCompiler: () => (answer) => JSON.stringify(answer),
      },
      async (request, reply) => {
        const { body, principal, id, ip } = request;
        const ingested = await accept(body, () => request.bodyText, principal, String(id), ip);
        return reply.code(ingested.isRepeat ? 200 : 201).send(acceptedOf(ingested));
      },
    );

    app.post(
      '/events',
      {
        bodyLimit: Math.max(BATCH_BYTES_MAX, bodyBytesMax),
        ...operation(
          {
            id: 'ingestEvents',
            tag: 'Events',
            summary: 'Ingest an event, or up to 1,000',
            description:
              'Takes what POST /event takes, or `{"events": [...]}`: then answers 200 with an outcome for each, in order.',
            problems: PROBLEMS,
          },
          {
            body: z.union([Batch, EventBody]),
            response: { 200: z.union([z.object({ outcomes: z.array(Outcome) }), Accepted]), 201: Accepted },
          },
        ),
        // Which of the two it means to be is told by `events`, so that findings are about that one.
        validatorCompiler: () => (body) => validate(isBatch(body) ? Batch : EventBody, body),
        serializerCompiler: () => (answer) => JSON.stringify(answer),
      },
      async (request, reply) => {
        const { body, principal, ip } = request;
        const requestId = String(request.id);
        if (!('events' in body)) {
          const ingested = await accept(body, () => request.bodyText, principal, requestId, ip);
          return reply.code(ingested.isRepeat ? 200 : 201).send(acceptedOf(ingested));
        }
        // The first of them is what the request was counted for.
        const refusal = await rateGuard.principal(principal, body.events.length - 1);
        if (refusal) throw refusal;
        let raws: string[] | undefined;
        const rawOf = (index: number): string => {
          raws ??= rawElements(request.bodyText, 'events');
          return raws[index] ?? 'null';
        };
        const perTurn = Math.max(1, Math.floor((body.events.length * TURN_CHARACTERS) / request.bodyText.length));
        const outcomes = await inTurns(body.events, perTurn, async (candidate, index) => {
          try {
            const ingested = await accept(EventBody.parse(candidate), () => rawOf(index), principal, requestId, ip);
            return { status: ingested.isRepeat ? 200 : 201, event: acceptedOf(ingested) };
          } catch (error) {
            const problem = toProblem(error);
            if (problem.status >= 500)
              request.log.error({ err: problem.cause ?? error, problem: problem.id }, 'an event of a batch failed');
            return { status: problem.status, problem: problemDocument(problem) };
          }
        });
        return { outcomes };
      },
    );
  };
