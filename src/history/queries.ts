import type { LogReader } from '../eventstore/read.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import { decodeCursor, encodeCursor, type Page, type PageRequest, rowsToRead } from '../projections/page.ts';
import { describeHistory, type HistoryEntry } from './describe.ts';

/** Whom an object belongs to, as the first domain event of its stream says: known of deleted ones, too. */
export type Owner = { readonly organizationId: string; readonly applicationId: string | undefined };

/**
 * Domain events of a stream that a history folds at most; those after them are not told. Streams grow by what people do to
 * one object and by attempts of one delivery, so hardly any comes near.
 */
export const HISTORY_MAX = 10_000;

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Undefined for a stream that does not exist. */
export const findOwner = async (
  reader: LogReader,
  streamId: string,
  partition?: number,
): Promise<Owner | undefined> => {
  const [first] = await reader.readStream(streamId, { limit: 1, ...(partition === undefined ? {} : { partition }) });
  return first && ownerOf(first);
};

export const ownerOf = ({ data }: RecordedEvent): Owner => ({
  organizationId: text(data.organizationId) ?? '',
  applicationId: text(data.applicationId),
});

const listOf = (streamId: string): string => `history of ${streamId}`;

/**
 * What happened to one object, newest first: the entries of its stream. Answers with an empty page for a stream that does
 * not exist; throws InvalidCursor.
 */
export const listHistory = async (
  reader: LogReader,
  streamId: string,
  { partition, ...request }: PageRequest & { readonly partition?: number | undefined },
): Promise<Page<HistoryEntry>> => {
  const before = decodeCursor(listOf(streamId), 'position', request.cursor);
  const toVersion = Math.min(HISTORY_MAX, before === null ? HISTORY_MAX : before - 1);
  const stream = await reader.readStream(streamId, {
    toVersion,
    ...(partition === undefined ? {} : { partition }),
  });
  return pageOfHistory(streamId, describeHistory(stream), request);
};

/** A page of all the entries of a stream, given oldest first, told newest first; pure. Throws InvalidCursor. */
export const pageOfHistory = (
  streamId: string,
  all: readonly HistoryEntry[],
  { cursor, limit }: PageRequest,
): Page<HistoryEntry> => {
  const list = listOf(streamId);
  const before = decodeCursor(list, 'position', cursor);
  const entries = before === null ? all : all.filter(({ version }) => version < before);
  const size = rowsToRead(limit) - 1;
  const rows = entries.slice(-size).toReversed();
  const last = rows.at(-1);
  return { rows, nextCursor: last && entries.length > size ? encodeCursor(list, last.version) : null };
};
