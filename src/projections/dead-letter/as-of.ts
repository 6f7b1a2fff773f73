import { minUuidAt } from '../../domain/event/ids.ts';
import { awaitReadModels } from '../as-of/catch-up.ts';
import { cutArray, cutAt, endOf } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import type { Past } from '../as-of/past.ts';
import { type Page, type PageRequest, pageStatement } from '../page.ts';
import { deadLetterProjection } from './projection.ts';
import {
  COLUMNS,
  type DeadLetterFilter,
  type DeadLetterRecord,
  type DeadLetterRow,
  FILTER,
  filterParameters,
  LIST,
  RANGE,
  toDeadLetter,
} from './queries.ts';

/** Of all spells of a delivery, at most one lasts at a cut. */
const LIST_AS_OF = pageStatement({
  table: 'dead_letter',
  key: 'delivery_id',
  kind: 'uuid',
  columns: COLUMNS,
  range: `${RANGE} AND delivery_id < $9`,
  filter: `${FILTER} AND position <= ${cutAt('$11')} AND (left_position IS NULL OR left_position > ${cutAt('$11')})`,
  isFiltered: 'true',
  limit: '$10',
});

type Row = DeadLetterRow & { scanned_to: string | null };

/**
 * What lay among the dead letters of an application at a cut, those of the newest events first: the read model keeps the
 * spells that are over, so nothing has to be folded. Throws InvalidCursor and ReadModelBehind.
 */
export const listDeadLettersAsOf = async (
  { db, cut }: Past,
  applicationId: string,
  { cursor, limit, ...filter }: DeadLetterFilter & PageRequest,
): Promise<Page<DeadLetterRecord>> => {
  await awaitReadModels(db, [deadLetterProjection], cut);
  return pageAsOf<Row, string, DeadLetterRecord>({
    list: LIST,
    kind: 'uuid',
    cut,
    request: { cursor, limit },
    keyOf: (row) => row.delivery_id,
    read: async (after, size) => {
      const { rows } = await db.query<Row>(LIST_AS_OF, [
        ...filterParameters(applicationId, filter),
        after,
        minUuidAt(Math.max(0, endOf(cut))),
        size,
        cutArray(cut),
      ]);
      return { rows: rows.filter((row) => row.delivery_id !== null), scannedTo: rows[0]?.scanned_to ?? null };
    },
    settle: async (rows) => rows.map(toDeadLetter),
  });
};
