import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import { schemaNotFound } from '../../domain/event-type/decider.ts';
import { parseEventTypeName } from '../../domain/event-type/name.ts';
import { notFound } from '../../domain/refusals.ts';
import { type CompiledSchema, compileSchema } from '../../payload-schema/compile.ts';
import { UnusableSchema } from '../../payload-schema/vet.ts';
import type { Past } from '../../projections/as-of/past.ts';
import { findEventTypeAsOf } from '../../projections/configuration/as-of.ts';
import { type EventTypeRecord, findEventType } from '../../projections/configuration/queries.ts';
import { findEventTypeSchema, listEventTypeSchemas } from '../../projections/configuration/schemas.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { uuid } from '../http/strings.ts';
import { invalidField, Problem } from '../problems.ts';
import { applicationFor } from '../scope.ts';
import { checkLastWeek, type SchemaCheck } from './schema-check.ts';
import { Check, Schema, viewCheck, viewSchema } from './schema-view.ts';

/** As a path has it; whatever else stands there is the version of nothing. */
const VERSION = /^\d{1,6}$/;
const Named = z.object({ name: z.string().max(300) });
const Version = Named.extend({ version: z.string().max(300).describe('1, 2, 3, ...') });
const OfApplication = z.object({
  application_id: uuid().optional().describe('May be left out with the secret of an application.'),
});
const Confirmed = OfApplication.extend({
  force: z.boolean().default(false).describe('Activates it whatever it would have refused.'),
  expected_refusals: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('How many events of the last week it may refuse, as its check said.'),
});
const SchemaBody = Confirmed.extend({
  schema: z
    .union([z.boolean(), z.record(z.string(), z.unknown())])
    .describe('A JSON Schema of draft 2020-12, at most 64 KiB; docs/schemas.md says what it may use.'),
  activate: z
    .boolean()
    .default(false)
    .describe('Has payloads match it from now on, or adds nothing when that is refused.'),
});
const ForceQuery = ApplicationQuery.extend({ force: z.enum(['true', 'false']).optional() });
const Activated = z.object({ version: z.number().int(), is_active: z.literal(true), check: Check });

/** Compiles what somebody sent; a schema that cannot be used is a `Validation` problem of the field. */
const compiledOf = (schema: z.output<typeof SchemaBody>['schema']): CompiledSchema => {
  try {
    return compileSchema(schema);
  } catch (error) {
    if (!(error instanceof UnusableSchema)) throw error;
    const { path, message } = error;
    throw invalidField('schema', 'json-schema', path === '' ? message : `${path} ${message}`, { path });
  }
};

/** Throws SchemaWouldRefuse for more refusals than whoever asks has agreed to. */
const confirm = (
  { checked, refused, isComplete }: SchemaCheck,
  { force, expected }: { readonly force: boolean; readonly expected: number },
): void => {
  if (force || refused <= expected) return;
  throw new Problem(
    'SchemaWouldRefuse',
    `It would have refused ${refused} of ${checked} events of the last week${isComplete ? '' : ' that could be looked at'}; ${expected} were expected.`,
  );
};

/** Versions of the JSON Schema that payloads of an event type must match. */
export const eventTypeSchemaRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, schemas } = deps;
    const commands = createCommands(deps);

    /** The active event type that a request is about. */
    const eventTypeFor = async (
      request: FastifyRequest,
      action: Action,
      name: string,
      applicationId: string | undefined,
      past?: Past,
    ): Promise<EventTypeRecord> => {
      const application = await applicationFor(pool, request, action, applicationId, past);
      const found =
        parseEventTypeName(name) &&
        (await (past
          ? findEventTypeAsOf(past, application.applicationId, name)
          : findEventType(pool, application.applicationId, name)));
      if (!found?.isActive) throw notFound('event type', name);
      return found;
    };
    const requireVersion = async (eventType: EventTypeRecord, given: string | number, past?: Past) => {
      const version = VERSION.test(String(given)) ? Number(given) : 0;
      const found = await findEventTypeSchema(pool, { ...eventType, version }, past?.cut);
      if (!found) throw schemaNotFound(eventType.name, given);
      return found;
    };
    const namedOf = ({ applicationId, organizationId, name }: EventTypeRecord) => ({
      applicationId,
      organizationId,
      name,
    });

    app.get(
      '/event_types/:name/schemas',
      operation(
        {
          id: 'listEventTypeSchemas',
          tag: 'Event types',
          summary: 'List the versions of the schema of an event type, newest first',
          problems: ['InvalidAsOf', 'InvalidCursor', 'NotFound'],
        },
        {
          params: Named,
          querystring: PageQuery.extend(ApplicationQuery.shape).extend(AsOfQuery.shape),
          response: { 200: z.array(Schema) },
        },
      ),
      async (request, reply) => {
        const { query, params } = request;
        const past = await pastOf(deps, query);
        const eventType = await eventTypeFor(request, 'event_type:get', params.name, query.application_id, past);
        const page = await listEventTypeSchemas(pool, eventType, pageRequest(query), past?.cut);
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map((schema) => viewSchema(schema, eventType.activeSchemaVersion));
      },
    );

    app.post(
      '/event_types/:name/schemas',
      operation(
        {
          id: 'addEventTypeSchema',
          tag: 'Event types',
          summary: 'Add a version of the schema of an event type',
          description:
            'One that equals the newest version is that version. With `activate` it is enforced at once, on the same terms as by its activation.',
          problems: ['NotFound', 'SchemaWouldRefuse', 'TooManyEventTypeSchemas'],
        },
        { params: Named, body: SchemaBody, response: { 201: Schema } },
      ),
      async (request, reply) => {
        const { schema, activate, force, expected_refusals: expected, application_id: given } = request.body;
        const eventType = await eventTypeFor(request, 'event_type:edit', request.params.name, given);
        const compiled = compiledOf(schema);
        if (activate) confirm(await checkLastWeek(deps, eventType, compiled), { force, expected });
        const named = namedOf(eventType);
        const { state } = await commands.eventType(request, [
          { type: 'AddEventTypeSchema', data: { ...named, schema } },
          ...(activate ? [{ type: 'ActivateEventTypeSchema', data: named } as const] : []),
        ]);
        const added = await requireVersion(eventType, state.schemas);
        return reply.code(201).send(viewSchema(added, state.activeSchema));
      },
    );

    app.get(
      '/event_types/:name/schemas/:version',
      operation(
        {
          id: 'getEventTypeSchema',
          tag: 'Event types',
          summary: 'Read a version of the schema of an event type',
          problems: ['InvalidAsOf', 'NotFound'],
        },
        { params: Version, querystring: ApplicationQuery.extend(AsOfQuery.shape), response: { 200: Schema } },
      ),
      async (request) => {
        const { query, params } = request;
        const past = await pastOf(deps, query);
        const eventType = await eventTypeFor(request, 'event_type:get', params.name, query.application_id, past);
        return viewSchema(await requireVersion(eventType, params.version, past), eventType.activeSchemaVersion);
      },
    );

    app.post(
      '/event_types/:name/schemas/:version/check',
      operation(
        {
          id: 'checkEventTypeSchema',
          tag: 'Event types',
          summary: 'See what a version would have refused of the last week',
          description:
            'Changes nothing. Looks at the newest events of the type, 1,000 of them or 2 seconds long at the most.',
          problems: ['NotFound'],
        },
        { params: Version, querystring: ApplicationQuery, body: OfApplication.nullish(), response: { 200: Check } },
      ),
      async (request) => {
        const { body, query, params } = request;
        const given = body?.application_id ?? query.application_id;
        const eventType = await eventTypeFor(request, 'event_type:get', params.name, given);
        const { version } = await requireVersion(eventType, params.version);
        return viewCheck(await checkLastWeek(deps, eventType, await schemas({ ...eventType, version })));
      },
    );

    app.post(
      '/event_types/:name/schemas/:version/activate',
      operation(
        {
          id: 'activateEventTypeSchema',
          tag: 'Event types',
          summary: 'Enforce a version of the schema of an event type',
          description:
            'Payloads that do not match are refused from then on. Refused itself when events of the last week would not match, unless as many are expected, or `force` is given.',
          problems: ['NotFound', 'SchemaWouldRefuse'],
        },
        { params: Version, querystring: ForceQuery, body: Confirmed.nullish(), response: { 200: Activated } },
      ),
      async (request) => {
        const { body, query, params } = request;
        const given = body?.application_id ?? query.application_id;
        const eventType = await eventTypeFor(request, 'event_type:edit', params.name, given);
        const { version } = await requireVersion(eventType, params.version);
        const check = await checkLastWeek(deps, eventType, await schemas({ ...eventType, version }));
        const force = body?.force === true || query.force === 'true';
        confirm(check, { force, expected: body?.expected_refusals ?? 0 });
        await commands.eventType(request, [
          { type: 'ActivateEventTypeSchema', data: { ...namedOf(eventType), version } },
        ]);
        return { version, is_active: true as const, check: viewCheck(check) };
      },
    );

    app.post(
      '/event_types/:name/schemas/deactivate',
      operation(
        {
          id: 'deactivateEventTypeSchema',
          tag: 'Event types',
          summary: 'Enforce no schema of an event type any more',
          problems: ['NotFound'],
        },
        { params: Named, querystring: ApplicationQuery, body: OfApplication.nullish(), response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { body, query, params } = request;
        const given = body?.application_id ?? query.application_id;
        const eventType = await eventTypeFor(request, 'event_type:edit', params.name, given);
        await commands.eventType(request, [{ type: 'DeactivateEventTypeSchema', data: namedOf(eventType) }]);
        return reply.code(204).send(null);
      },
    );
  };
