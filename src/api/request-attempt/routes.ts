import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { notFound } from '../../domain/refusals.ts';
import { findRequestAttemptAsOf, listRequestAttemptsAsOf } from '../../projections/request-attempt/as-of.ts';
import {
  findRequestAttempt,
  listRequestAttempts,
  type RequestAttemptRecord,
} from '../../projections/request-attempt/queries.ts';
import { dayOf } from '../../worklist/payload.ts';
import { findResponse } from '../../worklist/response.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, instantQuery, PageQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { unchanged } from '../http/stored-body.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { applicationFor } from '../scope.ts';
import { errorNameOf, RequestAttempt, viewAttempt, wasSent } from './view.ts';

const PAGE = 50;
const FILTER_STATES = ['pending', 'waiting', 'succeeded', 'failed', 'timeout', 'cancelled'] as const;
const EVENT_TYPES_MAX = 100;

const AttemptsQuery = PageQuery.extend(ApplicationQuery.shape)
  .extend(AsOfQuery.shape)
  .extend({
    limit: z.coerce.number().int().min(1).max(100).default(PAGE).describe('Rows of a page, at most.'),
    event_id: uuid().optional(),
    subscription_id: uuid().optional(),
    min_created_at: instantQuery().optional(),
    max_created_at: instantQuery().optional(),
    'event.event_type_names': text(1, 20_000)
      .transform((names) => names.split(','))
      .refine((names) => names.length <= EVENT_TYPES_MAX, `must name ${EVENT_TYPES_MAX} event types at most`)
      .optional()
      .describe('Names of event types, joined by commas.'),
    state: z.enum(FILTER_STATES).optional(),
  });
const AttemptParams = z.object({ request_attempt_id: uuid() });
const ResponseParams = z.object({ response_id: uuid() });
const Response = z.object({
  response_id: z.string(),
  response_error_name: z.string().nullable().describe('Why it failed, in one of Hook0’s `E_` names.'),
  http_code: z.int().nullable(),
  headers: z.record(z.string(), z.string()).nullable(),
  body: z.string().nullable().describe('As text, whatever it was; without an answer, what went wrong.'),
  body_truncated: z.boolean().nullable(),
  elapsed_time_ms: z.int().nullable(),
});

export const requestAttemptRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, vault, config, now } = deps;

    app.get(
      '/request_attempts',
      operation(
        {
          id: 'listRequestAttempts',
          tag: 'Request attempts',
          summary: 'List request attempts, newest first',
          description:
            'The list follows what happens within a second. A page may be short, even empty, and still have a next one.',
          problems: ['InvalidAsOf', 'InvalidCursor', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        { querystring: AttemptsQuery, response: { 200: z.array(RequestAttempt) } },
      ),
      async (request, reply) => {
        const { query } = request;
        const { min_created_at: minCreatedAt, max_created_at: maxCreatedAt } = query;
        if (minCreatedAt && maxCreatedAt && minCreatedAt > maxCreatedAt)
          throw new Problem('InvalidDateRange', '`min_created_at` is later than `max_created_at`.');
        const past = await pastOf(deps, query);
        const given = query.application_id;
        const { applicationId } = await applicationFor(pool, request, 'request_attempt:list', given, past);
        const at = past?.cut.instant ?? now();
        const filter = {
          eventId: query.event_id,
          subscriptionId: query.subscription_id,
          eventTypes: query['event.event_type_names'],
          minCreatedAt,
          maxCreatedAt,
          status: query.state && { is: query.state, now: at },
          ...pageRequest(query),
        };
        const page = await (past
          ? listRequestAttemptsAsOf(past, applicationId, filter)
          : listRequestAttempts(pool, applicationId, filter));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map((attempt) => viewAttempt(attempt, at));
      },
    );

    app.get(
      '/request_attempts/:request_attempt_id',
      operation(
        {
          id: 'getRequestAttempt',
          tag: 'Request attempts',
          summary: 'Read a request attempt',
          problems: ['InvalidAsOf', 'ReadModelBehind'],
        },
        {
          params: AttemptParams,
          querystring: ApplicationQuery.extend(AsOfQuery.shape),
          response: { 200: RequestAttempt },
        },
      ),
      async (request) => {
        const { params, query } = request;
        const past = await pastOf(deps, query);
        const given = query.application_id;
        const { applicationId } = await applicationFor(pool, request, 'request_attempt:get', given, past);
        const attempt = await (past
          ? findRequestAttemptAsOf(past, applicationId, params.request_attempt_id)
          : findRequestAttempt(pool, applicationId, params.request_attempt_id));
        if (!attempt) throw notFound('request attempt', params.request_attempt_id);
        return viewAttempt(attempt, now());
      },
    );

    const responseOf = async (attempt: RequestAttemptRecord): Promise<z.output<typeof Response>> => {
      const {
        requestAttemptId: attemptId,
        organizationId,
        applicationId,
        partition,
        finishedAt,
        timings,
        message,
      } = attempt;
      const day = dayOf((finishedAt ?? attempt.createdAt).toISOString());
      const kept =
        attempt.response &&
        unchanged(await findResponse(pool, vault, { day, partition, organizationId, applicationId, attemptId }));
      return {
        response_id: attemptId,
        response_error_name: errorNameOf(attempt),
        http_code: attempt.httpStatus,
        headers: kept
          ? Object.fromEntries(Object.entries(kept.headers).map(([name, value]) => [name, [value].flat().join(', ')]))
          : null,
        body: kept?.body.toString('utf8') ?? (attempt.response ? null : message),
        body_truncated: attempt.response?.truncated ?? null,
        elapsed_time_ms: timings && Math.round(timings.totalMs),
      };
    };

    app.get(
      '/responses/:response_id',
      operation(
        {
          id: 'getResponse',
          tag: 'Request attempts',
          summary: 'Read what a receiver answered',
          description:
            'At most 64 KiB of the body are kept, and for a time only: then `headers` and `body` are null. With `as_of`, too: what was erased or dropped since is gone from the past as well.',
          problems: ['InvalidAsOf', 'ReadModelBehind', 'StoredBodyChanged'],
        },
        {
          params: ResponseParams,
          querystring: ApplicationQuery.extend(AsOfQuery.shape),
          response: { 200: Response },
        },
      ),
      async (request) => {
        const { params, query } = request;
        const past = await pastOf(deps, query);
        const given = query.application_id;
        const { applicationId } = await applicationFor(pool, request, 'response:get', given, past);
        const attempt = await (past
          ? findRequestAttemptAsOf(past, applicationId, params.response_id)
          : findRequestAttempt(pool, applicationId, params.response_id));
        if (!attempt || !wasSent(attempt)) throw notFound('response', params.response_id);
        return responseOf(attempt);
      },
    );
  };
