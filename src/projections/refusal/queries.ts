import {
  decodeCursor,
  InvalidCursor,
  type Page,
  type PageRequest,
  type Queryable,
  rowsToRead,
  toPage,
} from '../page.ts';

/** What was refused to somebody, as often as it was within some seconds. */
export type RefusalRecord = {
  readonly partition: number;
  readonly position: number;
  /** Null for a person who asked for something of somebody else's. */
  readonly organizationId: string | null;
  /** As recorded with domain events, such as `user:<id>`. */
  readonly actor: string;
  readonly action: string;
  /** What it was answered with: `Forbidden` or `NotFound`. */
  readonly problem: string;
  readonly count: number;
  /** Some of the addresses that asked. */
  readonly ips: readonly string[];
  readonly firstAt: Date;
  readonly lastAt: Date;
};

type Row = {
  partition_no: number;
  position: number;
  organization_id: string | null;
  actor: string;
  action: string;
  problem: string;
  count: number;
  ips: string[];
  first_at: Date;
  last_at: Date;
};

const LIST = 'refusals';
const listWhere = (condition: string): string => `
  SELECT partition_no, position::float8 AS position, organization_id, actor, action, problem, count::float8 AS count, ips,
    first_at, last_at
  FROM refusal
  WHERE ${condition} AND ($2::timestamptz IS NULL OR (last_at, partition_no, position) < ($2, $3::integer, $4::bigint))
  ORDER BY last_at DESC, partition_no DESC, position DESC
  LIMIT $1`;
const LIST_ALL = listWhere('true');
const LIST_OF_ORGANIZATION = listWhere('organization_id = $5');

const KEY = /^([1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\d{1,4}) (\d{1,15})$/;
const keyOf = ({ lastAt, partition, position }: RefusalRecord): string =>
  `${lastAt.toISOString()} ${partition} ${position}`;

/** Instant, log partition and position of the last one seen; nothing without a cursor. Throws InvalidCursor. */
const lastSeen = (cursor: string | undefined): readonly (Date | string | null)[] => {
  const key = decodeCursor(LIST, 'text', cursor);
  if (key === null) return [null, null, null];
  const [, at, partition, position] = KEY.exec(key) ?? [];
  const instant = new Date(at ?? Number.NaN);
  if (partition === undefined || position === undefined || Number.isNaN(instant.getTime()))
    throw new InvalidCursor(LIST);
  return [instant, partition, position];
};

/** Newest first: those of an organization, or `all` of the instance. Throws InvalidCursor. */
export const listRefusals = async (
  db: Queryable,
  of: string,
  { cursor, limit }: PageRequest,
): Promise<Page<RefusalRecord>> => {
  const values = [rowsToRead(limit), ...lastSeen(cursor)];
  const { rows } = await (of === 'all'
    ? db.query<Row>(LIST_ALL, values)
    : db.query<Row>(LIST_OF_ORGANIZATION, [...values, of]));
  const found = rows.map((row) => ({
    partition: row.partition_no,
    position: row.position,
    organizationId: row.organization_id,
    actor: row.actor,
    action: row.action,
    problem: row.problem,
    count: row.count,
    ips: row.ips,
    firstAt: row.first_at,
    lastAt: row.last_at,
  }));
  return toPage(LIST, found, { limit, keyOf });
};
