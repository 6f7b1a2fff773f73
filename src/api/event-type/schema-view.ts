import { z } from 'zod';
import type { JsonSchema } from '../../domain/event-type/events.ts';
import type { EventTypeSchemaRecord } from '../../projections/configuration/schemas.ts';
import { validationOf } from '../ingest/payload-check.ts';
import type { SchemaCheck } from './schema-check.ts';

export const Schema = z.object({
  version: z.number().int(),
  is_active: z.boolean().describe('Whether payloads must match this version.'),
  schema: z.unknown().describe('As it was added.'),
  sha256: z.string().describe('Of its JSON text, hexadecimal.'),
  created_at: z.string(),
});

export const Check = z.object({
  checked: z.number().int().describe('Events of the last week that were looked at, newest first, 1,000 at the most.'),
  refused: z.number().int().describe('Those of them that the schema would refuse.'),
  oldest: z.string().nullable().describe('When the oldest of them was received.'),
  examples: z
    .array(z.object({ event_id: z.string(), errors: z.unknown().describe('As `validation` of a refusal has them.') }))
    .describe('The newest that would be refused, 20 at the most.'),
  is_complete: z.boolean().describe('False when there were more than could be looked at, or payloads that are gone.'),
});

export const viewSchema = (
  { version, schema, sha256, createdAt }: Omit<EventTypeSchemaRecord, 'applicationId' | 'name'>,
  activeVersion: number | null,
): z.output<typeof Schema> => ({
  version,
  is_active: version === activeVersion,
  schema: schema satisfies JsonSchema,
  sha256,
  created_at: createdAt.toISOString(),
});

export const viewCheck = ({ checked, refused, oldest, examples, isComplete }: SchemaCheck): z.output<typeof Check> => ({
  checked,
  refused,
  oldest: oldest?.toISOString() ?? null,
  examples: examples.map(({ eventId, findings }) => ({ event_id: eventId, errors: validationOf(findings) })),
  is_complete: isComplete,
});
