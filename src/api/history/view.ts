import { z } from 'zod';
import type { HistoryEntry } from '../../history/describe.ts';

export const Change = z.object({
  path: z.string().describe('JSON Pointer (RFC 6901).'),
  before: z.unknown().describe('Null for what was not there.'),
  after: z.unknown().describe('Null for what is not there any more.'),
});

export const Entry = z.object({
  position: z.string().describe('`<log partition>:<position>`; as `as_of` it shows everything as it was right after.'),
  version: z.int().describe('In the history of its object, from 1.'),
  type: z.string(),
  summary: z.string().describe('In a few words, for people.'),
  at: z.string(),
  actor: z.string().describe('Who did it: `master`, `application_secret:<id>`, `system:worker`.'),
  causation_id: z.string().describe('What led to it directly, such as the id of a request.'),
  correlation_id: z.string().describe('The same over everything that follows from one beginning.'),
  ip: z.string().nullable(),
  changes: z.array(Change),
});

export const viewEntry = (entry: HistoryEntry): z.output<typeof Entry> => ({
  position: `${entry.partition}:${entry.position}`,
  version: entry.version,
  type: entry.type,
  summary: entry.summary,
  at: entry.at.toISOString(),
  actor: entry.actor,
  causation_id: entry.causationId,
  correlation_id: entry.correlationId,
  ip: entry.ip,
  changes: entry.changes.map(({ path, before, after }) => ({ path, before, after })),
});
