import { type Count, PAGE_MAX, type Page, type PageRequest } from '../../projections/page.ts';
import { invalidField } from '../problems.ts';
import type { Fields } from './schema.ts';

/** The arguments of every connection. */
export type PageArgs = { readonly first?: number | null; readonly after?: string | null };

/** A page of a list; how many there are in all is counted when somebody asks. */
export type Connection<Node> = Page<Node> & { readonly count: (upTo: number) => Promise<Count> };

const FIRST = 50;
const COUNTED = 10_000;
const COUNTED_MAX = 100_000;

/** Throws a Validation problem for a page of no size that is allowed. */
export const pageOf = ({ first, after }: PageArgs): PageRequest => {
  const limit = first ?? FIRST;
  if (limit < 1 || limit > PAGE_MAX)
    throw invalidField('first', 'out-of-range', `must be 1 to ${PAGE_MAX}`, { min: 1, max: PAGE_MAX });
  return { limit, cursor: after ?? undefined };
};

/** A page whose rows become nodes. */
export const connect = <Row, Node>(
  { rows, nextCursor }: Page<Row>,
  toNode: (row: Row) => Node,
  count: Connection<Node>['count'],
): Connection<Node> => ({ rows: rows.map(toNode), nextCursor, count });

const ofConnection = {
  nodes: ({ rows }: Connection<unknown>) => rows,
  pageInfo: ({ nextCursor }: Connection<unknown>) => ({ hasNextPage: nextCursor !== null, endCursor: nextCursor }),
};

const totalCount = ({ count }: Connection<unknown>, { upTo }: { upTo?: number | null }): Promise<Count> => {
  const limit = upTo ?? COUNTED;
  if (limit < 1 || limit > COUNTED_MAX)
    throw invalidField('upTo', 'out-of-range', `must be 1 to ${COUNTED_MAX}`, { min: 1, max: COUNTED_MAX });
  return count(limit);
};

export const connectionFields: Fields = {
  ...Object.fromEntries(
    [
      'Organization',
      'Application',
      'Event',
      'Delivery',
      'RequestAttempt',
      'DeadLetter',
      'Subscription',
      'EventType',
    ].map((type) => [`${type}Connection`, { ...ofConnection, totalCount }]),
  ),
  HistoryConnection: ofConnection,
  MemberConnection: ofConnection,
  InvitationConnection: ofConnection,
  ServiceTokenConnection: ofConnection,
  RefusalConnection: ofConnection,
  RetentionConnection: ofConnection,
};
