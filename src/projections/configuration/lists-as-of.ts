import { cutArray, endOf } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import type { Past } from '../as-of/past.ts';
import { orNull, type Page, type PageRequest } from '../page.ts';
import {
  APPLICATIONS,
  IS_LATER,
  LIVE_SUBSCRIPTIONS,
  ORGANIZATION_COLUMNS,
  ORGANIZATIONS,
  type Row,
  SUBSCRIPTIONS,
  settle,
  type Table,
} from './as-of.ts';
import {
  type ApplicationFilter,
  type OrganizationSelection,
  SUBSCRIPTIONS_LOOKED_AT_MAX,
  type SubscriptionFilter,
} from './lists.ts';
import {
  APPLICATION_COLUMNS,
  type ApplicationRecord,
  type OrganizationRecord,
  SUBSCRIPTION_STATE_COLUMNS,
  type SubscriptionState,
  type SubscriptionStateRow,
} from './queries.ts';

/** The configuration as it was at a cut, as `lists.ts` has that of the present: oldest first, and by many ids at once. */

/** Rows that may have been there at the cut `$1` and began before `$2`. */
const standing = (table: string, columns: string, condition: string): string => `
  SELECT ${columns}, partition_no, ${IS_LATER('$1')} AS is_later FROM ${table}
  WHERE created_at < $2 AND (deleted_at IS NULL OR ${IS_LATER('$1')}) AND ${condition}`;
const bounds = ({ cut }: Past): unknown[] => [cutArray(cut), new Date(endOf(cut))];

/** `condition` speaks of `$5` and those after it, which `values` holds; `isKept` of what a row was. */
const oldestFirst = <Own extends object, Found>(
  past: Past,
  table: Table<Own, Found>,
  { name, key, columns, condition }: Record<'name' | 'key' | 'columns' | 'condition', string>,
  values: readonly unknown[],
  request: PageRequest,
  isKept: (found: Found) => boolean = () => true,
): Promise<Page<Found>> => {
  const sql = `${standing(name, columns, condition)} AND ($3::uuid IS NULL OR ${key} > $3) ORDER BY ${key} LIMIT $4`;
  return pageAsOf<Row<Own>, string, Found>({
    list: `${table.list}_oldest_first`,
    kind: 'uuid',
    cut: past.cut,
    request,
    keyOf: table.keyOf,
    read: async (after, limit) => {
      const { rows } = await past.db.query<Row<Own>>(sql, [...bounds(past), after, limit, ...values]);
      return { rows, scannedTo: null };
    },
    settle: async (rows) => {
      const found = await settle(past, table, rows);
      return found.map((was) => (was !== undefined && isKept(was) ? was : undefined));
    },
  });
};

const byId = async <Own extends object, Found>(
  past: Past,
  table: Table<Own, Found>,
  sql: string,
  ids: readonly string[],
): Promise<Map<string, Found>> => {
  const { rows } = await past.db.query<Row<Own>>(sql, [...bounds(past), ids]);
  const found = await settle(past, table, rows);
  return new Map(
    rows.flatMap((row, index) => {
      const was = found[index];
      return was === undefined ? [] : [[table.keyOf(row), was] as const];
    }),
  );
};

/** Throws InvalidCursor. */
export const listOrganizationsOldestFirstAsOf = (
  past: Past,
  ids: OrganizationSelection,
  page: PageRequest,
): Promise<Page<OrganizationRecord>> =>
  oldestFirst(
    past,
    ORGANIZATIONS,
    {
      name: 'organization',
      key: 'organization_id',
      columns: ORGANIZATION_COLUMNS,
      condition: '($5::uuid[] IS NULL OR organization_id = ANY($5))',
    },
    [ids === 'all' ? null : ids],
    page,
  );

const FIND_ORGANIZATIONS = standing('organization', ORGANIZATION_COLUMNS, 'organization_id = ANY($3::uuid[])');

/** By id; those that were there. */
export const findOrganizationsAsOf = (past: Past, ids: readonly string[]): Promise<Map<string, OrganizationRecord>> =>
  byId(past, ORGANIZATIONS, FIND_ORGANIZATIONS, ids);

/** Throws InvalidCursor. */
export const listApplicationsOldestFirstAsOf = (
  past: Past,
  { organizationId, applicationIds, organizationIds, ...page }: ApplicationFilter & PageRequest,
): Promise<Page<ApplicationRecord>> =>
  oldestFirst(
    past,
    APPLICATIONS,
    {
      name: 'application',
      key: 'application_id',
      columns: APPLICATION_COLUMNS,
      condition:
        '($5::uuid IS NULL OR organization_id = $5) AND ($6::uuid[] IS NULL OR application_id = ANY($6::uuid[])) AND ($7::uuid[] IS NULL OR organization_id = ANY($7::uuid[]))',
    },
    [orNull(organizationId), orNull(applicationIds), orNull(organizationIds)],
    page,
  );

const FIND_APPLICATIONS = standing('application', APPLICATION_COLUMNS, 'application_id = ANY($3::uuid[])');

/** By id; those that were there. */
export const findApplicationsAsOf = (past: Past, ids: readonly string[]): Promise<Map<string, ApplicationRecord>> =>
  byId(past, APPLICATIONS, FIND_APPLICATIONS, ids);

/** Filters look at what a subscription was: a row says only what it is. Throws InvalidCursor. */
export const listSubscriptionsOldestFirstAsOf = (
  past: Past,
  applicationId: string,
  { isEnabled, labels = {}, ...page }: SubscriptionFilter & PageRequest,
): Promise<Page<SubscriptionState>> =>
  oldestFirst(
    past,
    LIVE_SUBSCRIPTIONS,
    {
      name: 'subscription',
      key: 'subscription_id',
      columns: SUBSCRIPTION_STATE_COLUMNS,
      condition: 'application_id = $5',
    },
    [applicationId],
    page,
    ({ settings }) =>
      (isEnabled === undefined || settings.isEnabled === isEnabled) &&
      Object.entries(labels).every(([name, value]) => settings.labels[name] === value),
  );

const FIND_SUBSCRIPTIONS = `
  SELECT ${SUBSCRIPTION_STATE_COLUMNS}, ${IS_LATER('$1')} AS is_later FROM subscription
  WHERE created_at < $2 AND subscription_id = ANY($3::uuid[])`;

/** By id; those that had been created, deleted ones, too. */
export const findSubscriptionStatesAsOf = (
  past: Past,
  ids: readonly string[],
): Promise<Map<string, SubscriptionState>> => byId(past, SUBSCRIPTIONS, FIND_SUBSCRIPTIONS, ids);

const ALL_SUBSCRIPTIONS = `
  SELECT s.* FROM unnest($3::uuid[]) AS a (application_id) CROSS JOIN LATERAL (
    ${standing('subscription', SUBSCRIPTION_STATE_COLUMNS, 'subscription.application_id = a.application_id')}
    ORDER BY subscription_id LIMIT ${SUBSCRIPTIONS_LOOKED_AT_MAX}) AS s`;

/** The subscriptions that applications had, oldest first, by application id. */
export const subscriptionsOfApplicationsAsOf = async (
  past: Past,
  applicationIds: readonly string[],
): Promise<Map<string, SubscriptionState[]>> => {
  const found = new Map(applicationIds.map((id): [string, SubscriptionState[]] => [id, []]));
  const were = await byId<SubscriptionStateRow, SubscriptionState>(
    past,
    LIVE_SUBSCRIPTIONS,
    ALL_SUBSCRIPTIONS,
    applicationIds,
  );
  for (const was of were.values()) found.get(was.applicationId)?.push(was);
  return found;
};
