import { hash } from 'node:crypto';
import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { notFound } from '../refusals.ts';
import type { EventTypeCommand, EventTypeEvent } from './events.ts';

export type EventType = {
  readonly status: 'unknown' | 'active' | 'deactivated';
  /** How many versions of its schema there are. */
  readonly schemas: number;
  /** SHA-256 of the newest one, hex. */
  readonly newestSha256: string | null;
  /** The version that payloads must match. */
  readonly activeSchema: number | null;
};

/** Versions of one event type: its stream is read whole by each command, and each version has up to 64 KiB. */
export const SCHEMA_VERSIONS_MAX = 100;

const decide = (command: EventTypeCommand, state: EventType): EventTypeEvent[] => {
  const { type, data, metadata } = command;
  const { status } = state;
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateEventType':
      if (status === 'active') return []; // Clients declare their event types each time they start.
      if (status === 'unknown') return [{ type: 'EventTypeCreated', data: { ...data, createdAt: at } }];
      return [{ type: 'EventTypeReactivated', data: { ...data, reactivatedAt: at } }];
    case 'DeactivateEventType':
      if (status === 'unknown') throw notFound('event type', data.name);
      if (status === 'deactivated') return [];
      return [{ type: 'EventTypeDeactivated', data: { ...data, deactivatedAt: at } }];
    default:
      if (status !== 'active') throw notFound('event type', data.name);
      return decideSchema(command, state);
  }
};

type SchemaCommand = Extract<EventTypeCommand, { type: `${string}Schema` }>;

const decideSchema = (
  { type, data, metadata }: SchemaCommand,
  { schemas, newestSha256, activeSchema }: EventType,
): EventTypeEvent[] => {
  const { applicationId, organizationId, name } = data;
  const named = { applicationId, organizationId, name };
  const at = metadata.now.toISOString();
  switch (type) {
    case 'AddEventTypeSchema': {
      const { schema } = data;
      const sha256 = hash('sha256', JSON.stringify(schema), 'hex');
      if (sha256 === newestSha256) return []; // Declared again at a start.
      if (schemas >= SCHEMA_VERSIONS_MAX)
        throw new DomainError(
          'TooManyEventTypeSchemas',
          `Event type ${name} has ${schemas} versions of its schema, which is the most; create another event type.`,
        );
      return [{ type: 'EventTypeSchemaAdded', data: { ...named, version: schemas + 1, schema, sha256, addedAt: at } }];
    }
    case 'ActivateEventTypeSchema': {
      const version = data.version ?? schemas;
      if (version < 1 || version > schemas) throw schemaNotFound(name, version);
      if (version === activeSchema) return [];
      return [{ type: 'EventTypeSchemaActivated', data: { ...named, version, activatedAt: at } }];
    }
    case 'DeactivateEventTypeSchema':
      if (activeSchema === null) return [];
      return [{ type: 'EventTypeSchemaDeactivated', data: { ...named, deactivatedAt: at } }];
  }
};

/** The refusal of a version that an event type does not have. */
export const schemaNotFound = (name: string, version: number | string): DomainError =>
  notFound(`version of the schema of ${name}`, String(version));

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: EventType, event: EventTypeEvent): EventType => {
  switch (event.type) {
    case 'EventTypeCreated':
    case 'EventTypeReactivated':
      return { ...state, status: 'active' };
    case 'EventTypeDeactivated':
      return { ...state, status: 'deactivated' };
    case 'EventTypeSchemaAdded':
      return { ...state, schemas: event.data.version, newestSha256: event.data.sha256 };
    case 'EventTypeSchemaActivated':
      return { ...state, activeSchema: event.data.version };
    case 'EventTypeSchemaDeactivated':
      return { ...state, activeSchema: null };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

export const eventTypeDecider: Decider<EventType, EventTypeCommand, EventTypeEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown', schemas: 0, newestSha256: null, activeSchema: null }),
};
