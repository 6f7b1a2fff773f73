import { schemaNotFound } from '../../domain/event-type/decider.ts';
import { matchesEventType } from '../../domain/subscription/routing.ts';
import type { EventTypeRecord } from '../../projections/configuration/queries.ts';
import type { EventTypeSchemaRecord } from '../../projections/configuration/schemas.ts';
import { checkLastWeek } from '../event-type/schema-check.ts';
import { type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Seen, see } from './context.ts';
import type { Fields } from './schema.ts';

type EventType = Seen<EventTypeRecord>;

/** A version, and whether payloads must match it. */
export const schemaSeen = (schema: EventTypeSchemaRecord, activeVersion: number | null) => ({
  ...schema,
  isActive: schema.version === activeVersion,
});

export const eventTypeFields: Fields = {
  EventType: {
    subscriptions: async ({ applicationId, name, moment }: EventType, _args: unknown, context: Context) => {
      allow(context, 'subscription:list', { applicationId });
      const all = (await moment.loaders.subscriptions(applicationId)) ?? [];
      return all
        .filter(({ settings }) => settings.eventTypes.some((pattern) => matchesEventType(pattern, name)))
        .map((subscription) => see(moment, subscription));
    },
    schemas: async (
      { applicationId, name, activeSchemaVersion, moment }: EventType,
      args: PageArgs,
      context: Context,
    ) => {
      allow(context, 'event_type:get', { applicationId });
      const { rows } = await moment.reads.eventTypeSchemas({ applicationId, name }, pageOf(args));
      return rows.map((schema) => schemaSeen(schema, activeSchemaVersion));
    },
    activeSchema: async (
      { applicationId, name, activeSchemaVersion: version, moment }: EventType,
      _args: unknown,
      context: Context,
    ) => {
      allow(context, 'event_type:get', { applicationId });
      const found =
        version === null ? undefined : await moment.loaders.eventTypeSchema({ applicationId, name, version });
      return found ? schemaSeen(found, version) : null;
    },
    schemaCheck: async (
      { applicationId, name, moment }: EventType,
      { version }: { readonly version: number },
      context: Context,
    ) => {
      allow(context, 'event_type:get', { applicationId });
      const key = { applicationId, name, version };
      if (!(await moment.loaders.eventTypeSchema(key))) throw schemaNotFound(name, version);
      return checkLastWeek(context.deps, key, await context.deps.schemas(key));
    },
  },
};
