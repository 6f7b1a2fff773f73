import { minUuidAt } from '../../domain/event/ids.ts';
import { awaitReadModels } from '../as-of/catch-up.ts';
import { cutArray, cutAt, endOf } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import type { Past } from '../as-of/past.ts';
import { PAGE_MAX, type Page, type PageRequest, pageStatement } from '../page.ts';
import { deadLetterProjection } from './projection.ts';
import {
  COLUMNS,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterRecord,
  type DeadLetterRow,
  FILTER,
  filterParameters,
  GROUPS_MAX,
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

/** Dead letters that are grouped at a cut. */
const GROUPED_MAX = 5_000;

/** The largest groups first, of the newest {@link GROUPED_MAX} that match. Throws ReadModelBehind. */
export const groupDeadLettersAsOf = async (
  past: Past,
  applicationId: string,
  filter: DeadLetterFilter,
): Promise<DeadLetterGroup[]> => {
  const letters: DeadLetterRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await listDeadLettersAsOf(past, applicationId, { ...filter, cursor, limit: PAGE_MAX });
    letters.push(...page.rows);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && letters.length < GROUPED_MAX);
  const groups = Map.groupBy(letters.slice(0, GROUPED_MAX), ({ subscriptionId, reason, lastFailure }) =>
    [subscriptionId, reason, lastFailure ?? LAST].join(' '),
  );
  return [...groups]
    .toSorted(([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1))
    .slice(0, GROUPS_MAX)
    .flatMap(([, group]) => {
      const [first] = group;
      if (!first) return [];
      const { subscriptionId, reason, lastFailure } = first;
      const times = group.map(({ deadLetteredAt }) => deadLetteredAt.getTime());
      const [oldestAt, newestAt] = [new Date(Math.min(...times)), new Date(Math.max(...times))];
      return [{ applicationId, subscriptionId, reason, lastFailure, count: group.length, oldestAt, newestAt }];
    });
};

/** Groups without a last failure come after the others, as null does in SQL. */
const LAST = '~';
