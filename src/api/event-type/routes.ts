import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseEventTypeName } from '../../domain/event-type/name.ts';
import { notFound } from '../../domain/refusals.ts';
import { findEventTypeAsOf, listEventTypesAsOf } from '../../projections/configuration/as-of.ts';
import { findEventType, listEventTypes } from '../../projections/configuration/queries.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { uuid } from '../http/strings.ts';
import { invalidField } from '../problems.ts';
import { requireEventTypes } from '../quota/count.ts';
import { applicationFor } from '../scope.ts';

const PART = /^[A-Za-z0-9_-]{1,50}$/;
const part = () => z.string().regex(PART, 'must have 1 to 50 letters, digits, underscores or hyphens');
const EventTypeBody = z.object({
  application_id: uuid().optional().describe('May be left out with the secret of an application.'),
  service: part().optional(),
  resource_type: part().optional(),
  verb: part().optional(),
  name: z
    .string()
    .max(200)
    .optional()
    .describe('In place of the three parts: two or more parts joined by dots, such as `order.paid`.'),
});
const EventTypeParams = z.object({ name: z.string().max(300) });
const EventType = z.object({
  service_name: z.string().describe('The first part.'),
  resource_type_name: z.string().nullable().describe('What stands between the first and the last part, if anything.'),
  verb_name: z.string().describe('The last part.'),
  event_type_name: z.string(),
});

const toEventType = (name: string): z.output<typeof EventType> => {
  const parts = name.split('.');
  return {
    service_name: parts[0] ?? '',
    resource_type_name: parts.length > 2 ? parts.slice(1, -1).join('.') : null,
    verb_name: parts.at(-1) ?? '',
    event_type_name: name,
  };
};

const nameOf = ({ name, service, resource_type, verb }: z.output<typeof EventTypeBody>): string => {
  const given = { service, resource_type, verb };
  if (name !== undefined) {
    const other = Object.entries(given).find(([, value]) => value !== undefined);
    if (other) throw invalidField(other[0], 'ambiguous', 'cannot be given together with name');
    if (parseEventTypeName(name) === null)
      throw invalidField('name', 'event-type-name', 'must be two or more parts joined by dots, 200 characters at most');
    return name;
  }
  const missing = Object.entries(given).find(([, value]) => value === undefined);
  if (missing) throw invalidField(missing[0], 'required', 'is required, unless name is given');
  return Object.values(given).join('.');
};

export const eventTypeRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, limitsOf } = deps;
    const commands = createCommands(deps);

    app.get(
      '/event_types',
      operation(
        {
          id: 'listEventTypes',
          tag: 'Event types',
          summary: 'List the active event types of an application',
          problems: ['InvalidAsOf', 'InvalidCursor', 'NotFound'],
        },
        {
          querystring: PageQuery.extend(ApplicationQuery.shape).extend(AsOfQuery.shape),
          response: { 200: z.array(EventType) },
        },
      ),
      async (request, reply) => {
        const { query } = request;
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'event_type:list', query.application_id, past);
        const page = await (past
          ? listEventTypesAsOf(past, applicationId, pageRequest(query))
          : listEventTypes(pool, applicationId, pageRequest(query)));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(({ name }) => toEventType(name));
      },
    );

    app.post(
      '/event_types',
      operation(
        {
          id: 'createEventType',
          tag: 'Event types',
          summary: 'Create an event type',
          description:
            'Takes `service`, `resource_type` and `verb`, or a dotted `name`. One that exists stays as it is, one that was deactivated is active again.',
          problems: ['NotFound'],
        },
        { body: EventTypeBody, response: { 201: EventType } },
      ),
      async (request, reply) => {
        const name = nameOf(request.body);
        const application = await applicationFor(pool, request, 'event_type:create', request.body.application_id);
        const { applicationId, organizationId } = application;
        const limits = await limitsOf.application(application);
        await commands.eventType(
          request,
          [{ type: 'CreateEventType', data: { applicationId, organizationId, name } }],
          (run) => requireEventTypes(run, applicationId, limits.eventTypes),
        );
        return reply.code(201).send(toEventType(name));
      },
    );

    app.get(
      '/event_types/:name',
      operation(
        { id: 'getEventType', tag: 'Event types', summary: 'Read an active event type', problems: ['InvalidAsOf'] },
        {
          params: EventTypeParams,
          querystring: ApplicationQuery.extend(AsOfQuery.shape),
          response: { 200: EventType },
        },
      ),
      async (request) => {
        const { name } = request.params;
        const past = await pastOf(deps, request.query);
        const given = request.query.application_id;
        const { applicationId } = await applicationFor(pool, request, 'event_type:get', given, past);
        if (parseEventTypeName(name) === null) throw notFound('event type', name);
        const found = await (past
          ? findEventTypeAsOf(past, applicationId, name)
          : findEventType(pool, applicationId, name));
        if (!found?.isActive) throw notFound('event type', name);
        return toEventType(name);
      },
    );

    app.delete(
      '/event_types/:name',
      operation(
        {
          id: 'deactivateEventType',
          tag: 'Event types',
          summary: 'Deactivate an event type',
          description: 'Events of this type are refused from then on; what was ingested is delivered.',
        },
        { params: EventTypeParams, querystring: ApplicationQuery, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { name } = request.params;
        const application = await applicationFor(pool, request, 'event_type:delete', request.query.application_id);
        const { applicationId, organizationId } = application;
        if (parseEventTypeName(name) === null) throw notFound('event type', name);
        await commands.eventType(request, [
          { type: 'DeactivateEventType', data: { applicationId, organizationId, name } },
        ]);
        return reply.code(204).send(null);
      },
    );
  };
