import { textOf } from '../../ui/payload.ts';
import { headerOption, shellQuoted } from '../../ui/shell.ts';
import type { Event } from './queries.ts';

/**
 * The ingest of an equal event as a command, without an id: so it makes a new event. The token is a placeholder. Null when
 * the payload is no longer kept.
 */
export const toCurl = (event: Event, origin: string): string | null => {
  if (event.payload === null) return null;
  const payload = event.payloadContentType.endsWith('+base64') ? event.payload : textOf(event.payload);
  if (payload === null) return null;
  const body = {
    application_id: event.applicationId,
    event_type: event.eventType,
    payload,
    payload_content_type: event.payloadContentType,
    labels: event.labels,
    metadata: event.metadata,
    occurred_at: event.occurredAt,
  };
  return [
    `curl -X POST ${shellQuoted(`${origin}/api/v1/event`)}`,
    '-H "Authorization: Bearer $POSTHORN_TOKEN"',
    headerOption('Content-Type', 'application/json'),
    `-d ${shellQuoted(JSON.stringify(body, null, 2))}`,
  ].join(' \\\n  ');
};
