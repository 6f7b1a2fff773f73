import type { LogReader } from '../eventstore/read.ts';
import type { Cut } from '../projections/as-of/cut.ts';
import { type AuditFilter, listAuditRecords } from '../projections/audit/queries.ts';
import type { Page, PageRequest, Queryable } from '../projections/page.ts';
import { describeHistory, type HistoryEntry } from './describe.ts';

export type AuditEntry = HistoryEntry & {
  readonly object: 'application' | 'event_type' | 'subscription';
  /** Its id, or the name of an event type. */
  readonly objectId: string;
};

/**
 * What was changed of an application, its secrets, event types and subscriptions, newest first. The read model says where;
 * what changed is told by the streams of the page's objects. With a cut, what had been changed by then. Throws InvalidCursor.
 */
export const listAudit = async (
  { db, reader }: { readonly db: Queryable; readonly reader: LogReader },
  applicationId: string,
  request: AuditFilter & PageRequest,
  cut?: Cut,
): Promise<Page<AuditEntry>> => {
  const { rows, nextCursor } = await listAuditRecords(db, applicationId, request, cut);
  const newest = new Map<string, { partition: number; streamId: string; upTo: number }>();
  for (const { partition, streamId, position } of rows) {
    if (!newest.has(streamId)) newest.set(streamId, { partition, streamId, upTo: position });
  }
  const events = await reader.readStreams([...newest.values()]);
  const entries = new Map<string, HistoryEntry>();
  for (const [streamId, stream] of Map.groupBy(events, (event) => event.streamId))
    for (const entry of describeHistory(stream)) entries.set(`${streamId}@${entry.version}`, entry);
  return {
    nextCursor,
    rows: rows.flatMap(({ streamId, streamVersion }) => {
      const entry = entries.get(`${streamId}@${streamVersion}`);
      return entry ? [{ ...entry, ...objectOf(streamId) }] : [];
    }),
  };
};

const objectOf = (streamId: string): Pick<AuditEntry, 'object' | 'objectId'> => {
  const [kind, id = '', name = ''] = streamId.split(':');
  if (kind === 'event_type') return { object: kind, objectId: name };
  return { object: kind === 'application' ? kind : 'subscription', objectId: id };
};
