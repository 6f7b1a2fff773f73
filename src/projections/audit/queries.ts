import { type Cut, cutArray, cutAt } from '../as-of/cut.ts';
import { listAsOf } from '../as-of/page.ts';
import {
  decodeCursor,
  isAnySet,
  orNull,
  type Page,
  type PageRequest,
  pageStatement,
  type Queryable,
  rowsToRead,
  toPage,
} from '../page.ts';

/** Where a change of the configuration is in the log. */
export type AuditRecord = {
  readonly partition: number;
  readonly position: number;
  readonly streamId: string;
  readonly streamVersion: number;
};
export type AuditFilter = {
  readonly actor?: string | undefined;
  /** A type of domain event. */
  readonly type?: string | undefined;
  /** By when it was recorded; from inclusive, to exclusive. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
};

type Row = { partition_no: number; position: number; stream_id: string; stream_version: number };

const LIST = 'audit';
const LIST_ENTRIES = pageStatement({
  table: 'audit_entry',
  key: 'position',
  kind: 'position',
  columns: 'partition_no, position::float8 AS position, stream_id, stream_version',
  range: `application_id = $1 AND ($2::bigint IS NULL OR position < $2) AND ($9::bigint[] IS NULL OR position <= ${cutAt('$9')})`,
  filter: `($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR type = $4)
    AND ($5::timestamptz IS NULL OR recorded_at >= $5) AND ($6::timestamptz IS NULL OR recorded_at < $6)`,
  isFiltered: '$7',
  limit: '$8',
});

/**
 * Changes of an application's configuration, newest first, of a deleted application, too; with a cut, those that belong to it.
 * The table is written within the append, so it is never behind. Throws InvalidCursor.
 */
export const listAuditRecords = async (
  db: Queryable,
  applicationId: string,
  { actor, type, from, to, cursor, limit }: AuditFilter & PageRequest,
  cut?: Cut,
): Promise<Page<AuditRecord>> => {
  const list = cut ? listAsOf(LIST, cut) : LIST;
  const { rows } = await db.query<Row & { scanned_to: string | null }>(LIST_ENTRIES, [
    applicationId,
    decodeCursor(list, 'position', cursor),
    orNull(actor),
    orNull(type),
    orNull(from),
    orNull(to),
    isAnySet(actor, type, from, to),
    rowsToRead(limit),
    cut ? cutArray(cut) : null,
  ]);
  const scannedTo = rows[0]?.scanned_to ?? null;
  const found = rows
    .filter((row) => row.stream_id !== null)
    .map((row) => ({
      partition: row.partition_no,
      position: row.position,
      streamId: row.stream_id,
      streamVersion: row.stream_version,
    }));
  return toPage(list, found, {
    limit,
    keyOf: ({ position }) => position,
    scannedTo: scannedTo === null ? null : Number(scannedTo),
  });
};
