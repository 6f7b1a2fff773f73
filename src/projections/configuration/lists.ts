import { decodeCursor, orNull, type Page, type PageRequest, type Queryable, rowsToRead, toPage } from '../page.ts';
import {
  type ApplicationRecord,
  type ApplicationRow,
  type OrganizationRecord,
  type OrganizationRow,
  SUBSCRIPTION_STATE_COLUMNS,
  type SubscriptionState,
  type SubscriptionStateRow,
  toApplication,
  toOrganization,
  toSubscriptionState,
} from './queries.ts';

/** The configuration oldest first, by many ids at once, and counted. Deleted records are left out unless it says otherwise. */

/** What a list of the configuration is read with: `condition` speaks of `$1` to `$n`, which `values` holds. */
type Selection = { readonly table: string; readonly key: string; readonly columns: string; readonly condition: string };

const listStatement = ({ table, key, columns, condition }: Selection, values: number): string => `
  SELECT ${columns} FROM ${table}
  WHERE ${condition} AND ($${values + 1}::uuid IS NULL OR ${key} > $${values + 1})
  ORDER BY ${key}
  LIMIT $${values + 2}`;
const countStatement = ({ table, condition }: Selection, values: number): string =>
  `SELECT count(*)::int AS count FROM (SELECT FROM ${table} WHERE ${condition} LIMIT $${values + 1}) AS counted`;

const oldestFirst = async <Row, Found>(
  db: Queryable,
  selection: Selection,
  values: readonly unknown[],
  { cursor, limit }: PageRequest,
  toFound: (row: Row) => Found,
  keyOf: (found: Found) => string,
): Promise<Page<Found>> => {
  const list = `${selection.table}_oldest_first`;
  const { rows } = await db.query(listStatement(selection, values.length), [
    ...values,
    decodeCursor(list, 'uuid', cursor),
    rowsToRead(limit),
  ]);
  return toPage(list, (rows as Row[]).map(toFound), { limit, keyOf });
};

const countUpTo = async (
  db: Queryable,
  selection: Selection,
  values: readonly unknown[],
  limit: number,
): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(countStatement(selection, values.length), [...values, limit]);
  return rows[0]?.count ?? 0;
};

const ORGANIZATIONS: Selection = {
  table: 'organization',
  key: 'organization_id',
  columns: 'organization_id, name, created_at',
  condition: 'deleted_at IS NULL AND ($1::uuid[] IS NULL OR organization_id = ANY($1))',
};
/** The organizations that are named, or all with `all`. */
export type OrganizationSelection = readonly string[] | 'all';
const organizationValues = (ids: OrganizationSelection): unknown[] => [ids === 'all' ? null : ids];

/** Throws InvalidCursor. */
export const listOrganizationsOldestFirst = (
  db: Queryable,
  ids: OrganizationSelection,
  page: PageRequest,
): Promise<Page<OrganizationRecord>> =>
  oldestFirst<OrganizationRow, OrganizationRecord>(
    db,
    ORGANIZATIONS,
    organizationValues(ids),
    page,
    toOrganization,
    ({ organizationId }) => organizationId,
  );

/** Counting stops at `limit`. */
export const countOrganizations = (db: Queryable, ids: OrganizationSelection, limit: number): Promise<number> =>
  countUpTo(db, ORGANIZATIONS, organizationValues(ids), limit);

/** By id. */
export const findOrganizations = async (
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, OrganizationRecord>> => {
  const { rows } = await db.query<OrganizationRow>(
    `SELECT ${ORGANIZATIONS.columns} FROM organization WHERE ${ORGANIZATIONS.condition}`,
    [ids],
  );
  return new Map(rows.map((row) => [row.organization_id, toOrganization(row)]));
};

const APPLICATIONS: Selection = {
  table: 'application',
  key: 'application_id',
  columns: 'application_id, organization_id, name, created_at',
  condition: `deleted_at IS NULL AND ($1::uuid IS NULL OR organization_id = $1)
    AND ($2::uuid[] IS NULL OR application_id = ANY($2)) AND ($3::uuid[] IS NULL OR organization_id = ANY($3))`,
};
/** All conditions must hold. */
export type ApplicationFilter = {
  readonly organizationId?: string | undefined;
  readonly applicationIds?: readonly string[] | undefined;
  readonly organizationIds?: readonly string[] | undefined;
};
const applicationValues = ({ organizationId, applicationIds, organizationIds }: ApplicationFilter): unknown[] => [
  orNull(organizationId),
  orNull(applicationIds),
  orNull(organizationIds),
];

/** Throws InvalidCursor. */
export const listApplicationsOldestFirst = (
  db: Queryable,
  { cursor, limit, ...filter }: ApplicationFilter & PageRequest,
): Promise<Page<ApplicationRecord>> =>
  oldestFirst<ApplicationRow, ApplicationRecord>(
    db,
    APPLICATIONS,
    applicationValues(filter),
    { cursor, limit },
    toApplication,
    ({ applicationId }) => applicationId,
  );

/** Counting stops at `limit`. */
export const countApplicationsUpTo = (db: Queryable, filter: ApplicationFilter, limit: number): Promise<number> =>
  countUpTo(db, APPLICATIONS, applicationValues(filter), limit);

/** By id. */
export const findApplications = async (
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, ApplicationRecord>> => {
  const { rows } = await db.query<ApplicationRow>(
    `SELECT ${APPLICATIONS.columns} FROM application WHERE ${APPLICATIONS.condition}`,
    applicationValues({ applicationIds: ids }),
  );
  return new Map(rows.map((row) => [row.application_id, toApplication(row)]));
};

const SUBSCRIPTIONS: Selection = {
  table: 'subscription',
  key: 'subscription_id',
  columns: SUBSCRIPTION_STATE_COLUMNS,
  condition: `deleted_at IS NULL AND application_id = $1 AND ($2::boolean IS NULL OR is_enabled = $2)
    AND ($3::jsonb IS NULL OR (settings -> 'labels')::jsonb @> $3)`,
};
/** All conditions must hold. */
export type SubscriptionFilter = {
  readonly isEnabled?: boolean | undefined;
  /** Those that carry all of these labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
};
const subscriptionValues = (applicationId: string, { isEnabled, labels }: SubscriptionFilter): unknown[] => [
  applicationId,
  orNull(isEnabled),
  labels === undefined || Object.keys(labels).length === 0 ? null : JSON.stringify(labels),
];

/** Throws InvalidCursor. */
export const listSubscriptionsOldestFirst = (
  db: Queryable,
  applicationId: string,
  { cursor, limit, ...filter }: SubscriptionFilter & PageRequest,
): Promise<Page<SubscriptionState>> =>
  oldestFirst<SubscriptionStateRow, SubscriptionState>(
    db,
    SUBSCRIPTIONS,
    subscriptionValues(applicationId, filter),
    { cursor, limit },
    toSubscriptionState,
    ({ subscriptionId }) => subscriptionId,
  );

/** Counting stops at `limit`. */
export const countSubscriptions = (
  db: Queryable,
  applicationId: string,
  filter: SubscriptionFilter,
  limit: number,
): Promise<number> => countUpTo(db, SUBSCRIPTIONS, subscriptionValues(applicationId, filter), limit);

/** By id; deleted ones, too. */
export const findSubscriptionStates = async (
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, SubscriptionState>> => {
  const { rows } = await db.query<SubscriptionStateRow>(
    `SELECT ${SUBSCRIPTION_STATE_COLUMNS} FROM subscription WHERE subscription_id = ANY($1::uuid[])`,
    [ids],
  );
  return new Map(rows.map((row) => [row.subscription_id, toSubscriptionState(row)]));
};

/** Subscriptions of one application that are looked at when all are wanted at once. */
export const SUBSCRIPTIONS_LOOKED_AT_MAX = 1_000;
const ALL_SUBSCRIPTIONS = (condition: string): string => `
  SELECT s.* FROM unnest($1::uuid[]) AS a (application_id) CROSS JOIN LATERAL (
    SELECT ${SUBSCRIPTION_STATE_COLUMNS} FROM subscription
    WHERE subscription.application_id = a.application_id ${condition}
    ORDER BY subscription_id LIMIT ${SUBSCRIPTIONS_LOOKED_AT_MAX}) AS s`;

/** The subscriptions of applications, oldest first, by application id; `withDeleted` those that were deleted, too. */
export const subscriptionsOfApplications = async (
  db: Queryable,
  applicationIds: readonly string[],
  { withDeleted = false }: { readonly withDeleted?: boolean } = {},
): Promise<Map<string, SubscriptionState[]>> => {
  const statement = ALL_SUBSCRIPTIONS(withDeleted ? '' : 'AND deleted_at IS NULL');
  const { rows } = await db.query<SubscriptionStateRow>(statement, [applicationIds]);
  const found = new Map(applicationIds.map((id): [string, SubscriptionState[]] => [id, []]));
  for (const row of rows) found.get(row.application_id)?.push(toSubscriptionState(row));
  return found;
};

const COUNT_EVENT_TYPES = `
  SELECT count(*)::int AS count FROM (
    SELECT FROM event_type WHERE application_id = $1 AND is_active LIMIT $2) AS counted`;

/** The active ones; counting stops at `limit`. */
export const countEventTypes = async (db: Queryable, applicationId: string, limit: number): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(COUNT_EVENT_TYPES, [applicationId, limit]);
  return rows[0]?.count ?? 0;
};
