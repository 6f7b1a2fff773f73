import type { RecordedEvent } from '../../eventstore/types.ts';
import { cutArray, cutAt, endOf } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import { type Past, readStreamsAsOf } from '../as-of/past.ts';
import type { Page, PageRequest } from '../page.ts';
import { foldApplication, foldApplicationSecret, foldEventType, foldOrganization, foldSubscription } from './fold.ts';
import {
  APPLICATION_COLUMNS,
  type ApplicationRecord,
  type ApplicationRow,
  type ApplicationSecretRecord,
  EVENT_TYPE_COLUMNS,
  type EventTypeRecord,
  type EventTypeRow,
  type OrganizationRecord,
  type OrganizationRow,
  SECRET_COLUMNS,
  type SecretRow,
  SUBSCRIPTION_STATE_COLUMNS,
  type SubscriptionState,
  type SubscriptionStateRow,
  toApplication,
  toEventType,
  toOrganization,
  toSecret,
  toSubscriptionState,
} from './queries.ts';

/**
 * The configuration as it was at a cut. Its tables keep what was deleted and are written within the append, so they are never
 * behind; rows that have changed since are folded from their streams.
 */
export type Row<Own> = Own & { partition_no: number; is_later: boolean };

export type Table<Own, Found> = {
  readonly list: string;
  readonly kind: 'uuid' | 'text';
  readonly keyOf: (row: Own) => string;
  readonly streamOf: (row: Own) => string;
  readonly toFound: (row: Own) => Found;
  /** Undefined when it was not there. */
  readonly fold: (stream: readonly RecordedEvent[]) => Found | undefined;
};

/** Rows as they were: their own past, or that of their stream. */
export const settle = async <Own, Found>(
  { reader, cut }: Past,
  { streamOf, toFound, fold }: Table<Own, Found>,
  rows: readonly Row<Own>[],
): Promise<(Found | undefined)[]> => {
  const later = rows.filter((row) => row.is_later);
  const streams = await readStreamsAsOf(
    reader,
    later.map((row) => ({ partition: row.partition_no, streamId: streamOf(row) })),
    cut,
  );
  return rows.map((row) => (row.is_later ? fold(streams.get(streamOf(row)) ?? []) : toFound(row)));
};

/** `sql` takes whom it belongs to, the cut, the last key seen or null, how many rows, and an instant that all began before. */
const list = <Own extends object, Found>(
  past: Past,
  table: Table<Own, Found>,
  sql: string,
  owner: unknown,
  request: PageRequest,
): Promise<Page<Found>> =>
  pageAsOf<Row<Own>, string, Found>({
    list: table.list,
    kind: table.kind,
    cut: past.cut,
    request,
    keyOf: table.keyOf,
    read: async (after, limit) => {
      const values = [owner, cutArray(past.cut), after, limit, new Date(endOf(past.cut))];
      const { rows } = await past.db.query<Row<Own>>(sql, values);
      return { rows, scannedTo: null };
    },
    settle: (rows) => settle(past, table, rows),
  });

const find = async <Own extends object, Found>(
  past: Past,
  table: Table<Own, Found>,
  sql: string,
  key: readonly string[],
): Promise<Found | undefined> => {
  const { rows } = await past.db.query<Row<Own>>(sql, [cutArray(past.cut), ...key]);
  return (await settle(past, table, rows))[0];
};

export const IS_LATER = (cut: string): string => `position > ${cutAt(cut)}`;

export const ORGANIZATION_COLUMNS = 'organization_id, name, created_at';
export const ORGANIZATIONS: Table<OrganizationRow, OrganizationRecord> = {
  list: 'organizations',
  kind: 'uuid',
  keyOf: (row) => row.organization_id,
  streamOf: (row) => `organization:${row.organization_id}`,
  toFound: toOrganization,
  fold: foldOrganization,
};
const LIST_ORGANIZATIONS = `
  SELECT ${ORGANIZATION_COLUMNS}, partition_no, ${IS_LATER('$2')} AS is_later FROM organization
  WHERE ($1::uuid[] IS NULL OR organization_id = ANY($1)) AND ($3::uuid IS NULL OR organization_id < $3)
    AND created_at < $5 AND (deleted_at IS NULL OR ${IS_LATER('$2')})
  ORDER BY organization_id DESC
  LIMIT $4`;

/** Of the organizations named, or of all with `all`, those that there were at a cut, newest first. Throws InvalidCursor. */
export const listOrganizationsAsOf = (
  past: Past,
  organizationIds: readonly string[] | 'all',
  request: PageRequest,
): Promise<Page<OrganizationRecord>> =>
  list(past, ORGANIZATIONS, LIST_ORGANIZATIONS, organizationIds === 'all' ? null : organizationIds, request);

export const APPLICATIONS: Table<ApplicationRow, ApplicationRecord> = {
  list: 'applications',
  kind: 'uuid',
  keyOf: (row) => row.application_id,
  streamOf: (row) => `application:${row.application_id}`,
  toFound: toApplication,
  fold: foldApplication,
};
const LIST_APPLICATIONS = `
  SELECT ${APPLICATION_COLUMNS}, partition_no, ${IS_LATER('$2')} AS is_later FROM application
  WHERE organization_id = $1 AND ($3::uuid IS NULL OR application_id < $3) AND created_at < $5
    AND (deleted_at IS NULL OR ${IS_LATER('$2')})
  ORDER BY application_id DESC
  LIMIT $4`;
const FIND_APPLICATION = `
  SELECT ${APPLICATION_COLUMNS}, partition_no, ${IS_LATER('$1')} AS is_later FROM application
  WHERE application_id = $2 AND (deleted_at IS NULL OR ${IS_LATER('$1')})`;

/** The applications an organization had at a cut, newest first. Throws InvalidCursor. */
export const listApplicationsAsOf = (
  past: Past,
  organizationId: string,
  request: PageRequest,
): Promise<Page<ApplicationRecord>> => list(past, APPLICATIONS, LIST_APPLICATIONS, organizationId, request);

/** Also one that was deleted since. */
export const findApplicationAsOf = (past: Past, applicationId: string): Promise<ApplicationRecord | undefined> =>
  find(past, APPLICATIONS, FIND_APPLICATION, [applicationId]);

const SECRETS: Table<SecretRow, ApplicationSecretRecord> = {
  list: 'application_secrets',
  kind: 'uuid',
  keyOf: (row) => row.secret_id,
  streamOf: (row) => `application_secret:${row.secret_id}`,
  toFound: toSecret,
  fold: foldApplicationSecret,
};
const LIST_SECRETS = `
  SELECT ${SECRET_COLUMNS}, partition_no, ${IS_LATER('$2')} AS is_later FROM application_secret
  WHERE application_id = $1 AND ($3::uuid IS NULL OR secret_id < $3) AND created_at < $5
    AND (deleted_at IS NULL OR ${IS_LATER('$2')})
  ORDER BY secret_id DESC
  LIMIT $4`;

/** The secrets that an application had at a cut, newest first. Throws InvalidCursor. */
export const listApplicationSecretsAsOf = (
  past: Past,
  applicationId: string,
  request: PageRequest,
): Promise<Page<ApplicationSecretRecord>> => list(past, SECRETS, LIST_SECRETS, applicationId, request);

const EVENT_TYPES: Table<EventTypeRow, EventTypeRecord> = {
  list: 'event_types',
  kind: 'text',
  keyOf: (row) => row.name,
  streamOf: (row) => `event_type:${row.application_id}:${row.name}`,
  toFound: toEventType,
  fold: foldEventType,
};
const LIST_EVENT_TYPES = `
  SELECT ${EVENT_TYPE_COLUMNS}, partition_no, ${IS_LATER('$2')} AS is_later FROM event_type
  WHERE application_id = $1 AND ($3::text IS NULL OR name COLLATE "C" > $3) AND created_at < $5
    AND (is_active OR ${IS_LATER('$2')})
  ORDER BY name COLLATE "C"
  LIMIT $4`;
const FIND_EVENT_TYPE = `
  SELECT ${EVENT_TYPE_COLUMNS}, partition_no, ${IS_LATER('$1')} AS is_later FROM event_type
  WHERE application_id = $2 AND name = $3`;
const ACTIVE_EVENT_TYPES: Table<EventTypeRow, EventTypeRecord> = {
  ...EVENT_TYPES,
  fold: (stream) => {
    const found = foldEventType(stream);
    return found?.isActive === true ? found : undefined;
  },
};

/** The event types that were active at a cut, by name. Throws InvalidCursor. */
export const listEventTypesAsOf = (
  past: Past,
  applicationId: string,
  request: PageRequest,
): Promise<Page<EventTypeRecord>> => list(past, ACTIVE_EVENT_TYPES, LIST_EVENT_TYPES, applicationId, request);

/** Also one that was deactivated then. */
export const findEventTypeAsOf = (
  past: Past,
  applicationId: string,
  name: string,
): Promise<EventTypeRecord | undefined> => find(past, EVENT_TYPES, FIND_EVENT_TYPE, [applicationId, name]);

export const SUBSCRIPTIONS: Table<SubscriptionStateRow, SubscriptionState> = {
  list: 'subscriptions',
  kind: 'uuid',
  keyOf: (row) => row.subscription_id,
  streamOf: (row) => `subscription:${row.subscription_id}`,
  toFound: toSubscriptionState,
  fold: foldSubscription,
};
export const LIVE_SUBSCRIPTIONS: typeof SUBSCRIPTIONS = {
  ...SUBSCRIPTIONS,
  fold: (stream) => {
    const found = foldSubscription(stream);
    return found?.deletedAt === null ? found : undefined;
  },
};
const SUBSCRIPTION = (cut: string): string =>
  `SELECT ${SUBSCRIPTION_STATE_COLUMNS}, ${IS_LATER(cut)} AS is_later FROM subscription`;
const LIST_SUBSCRIPTIONS_EVER = `
  ${SUBSCRIPTION('$2')}
  WHERE application_id = $1 AND ($3::uuid IS NULL OR subscription_id < $3)
  ORDER BY subscription_id DESC
  LIMIT $4`;
const LIST_SUBSCRIPTIONS = `
  ${SUBSCRIPTION('$2')}
  WHERE application_id = $1 AND ($3::uuid IS NULL OR subscription_id < $3) AND created_at < $5
    AND (deleted_at IS NULL OR ${IS_LATER('$2')})
  ORDER BY subscription_id DESC
  LIMIT $4`;
const FIND_SUBSCRIPTION = `
  ${SUBSCRIPTION('$1')} WHERE subscription_id = $2 AND (deleted_at IS NULL OR ${IS_LATER('$1')})`;
const FIND_SUBSCRIPTIONS_EVER = `${SUBSCRIPTION('$1')} WHERE subscription_id = ANY($2::uuid[])`;

/** The subscriptions an application had at a cut, newest first. Throws InvalidCursor. */
export const listSubscriptionsAsOf = (
  past: Past,
  applicationId: string,
  request: PageRequest,
): Promise<Page<SubscriptionState>> => list(past, LIVE_SUBSCRIPTIONS, LIST_SUBSCRIPTIONS, applicationId, request);

/** A subscription of any time, and what it was at a cut: undefined before it was created. */
export type SubscriptionEver = { readonly subscriptionId: string; readonly was: SubscriptionState | undefined };

/** All subscriptions an application ever had, newest first, with what they were at a cut. Throws InvalidCursor. */
export const listSubscriptionsEverAsOf = (
  past: Past,
  applicationId: string,
  request: PageRequest,
): Promise<Page<SubscriptionEver>> =>
  pageAsOf<Row<SubscriptionStateRow>, string, SubscriptionEver>({
    list: 'subscriptions ever',
    kind: 'uuid',
    cut: past.cut,
    request,
    keyOf: SUBSCRIPTIONS.keyOf,
    read: async (after, limit) => {
      const values = [applicationId, cutArray(past.cut), after, limit];
      const { rows } = await past.db.query<Row<SubscriptionStateRow>>(LIST_SUBSCRIPTIONS_EVER, values);
      return { rows, scannedTo: null };
    },
    settle: async (rows) => {
      const found = await settle(past, SUBSCRIPTIONS, rows);
      return rows.map((row, index) => ({ subscriptionId: row.subscription_id, was: found[index] }));
    },
  });

/** Also one that was deleted since. The caller compares its ids with those it may see. */
export const findSubscriptionAsOf = (past: Past, subscriptionId: string): Promise<SubscriptionState | undefined> =>
  find(past, LIVE_SUBSCRIPTIONS, FIND_SUBSCRIPTION, [subscriptionId]);

/** Descriptions as they were, of deleted subscriptions, too. */
export const findSubscriptionDescriptionsAsOf = async (
  past: Past,
  subscriptionIds: readonly string[],
): Promise<Map<string, string | null>> => {
  if (subscriptionIds.length === 0) return new Map();
  const { rows } = await past.db.query<Row<SubscriptionStateRow>>(FIND_SUBSCRIPTIONS_EVER, [
    cutArray(past.cut),
    subscriptionIds,
  ]);
  const found = await settle(past, SUBSCRIPTIONS, rows);
  return new Map(found.flatMap((was) => (was ? [[was.subscriptionId, was.settings.description] as const] : [])));
};

/** Changes since the cut are told apart from what stood still, which is counted in the table. */
const COUNT_STANDING = `
  SELECT
    (SELECT count(*)::int FROM subscription
     WHERE application_id = $1 AND deleted_at IS NULL AND NOT ${IS_LATER('$2')}) AS subscriptions,
    (SELECT count(*)::int FROM event_type WHERE application_id = $1 AND is_active AND NOT ${IS_LATER('$2')}) AS event_types`;
const FIND_CHANGED = (sql: string, table: string): string => `
  ${sql} WHERE application_id = $1 AND created_at < $3 AND position > ${cutAt('$2', `${table}.`)}`;
const CHANGED_SUBSCRIPTIONS = FIND_CHANGED(SUBSCRIPTION('$2'), 'subscription');
const CHANGED_EVENT_TYPES = FIND_CHANGED(
  `SELECT ${EVENT_TYPE_COLUMNS}, partition_no, true AS is_later FROM event_type`,
  'event_type',
);

/** How many subscriptions and active event types an application had at a cut. */
export const countConfigurationAsOf = async (
  past: Past,
  applicationId: string,
): Promise<{ readonly subscriptions: number; readonly eventTypes: number }> => {
  const { db, cut } = past;
  const values = [applicationId, cutArray(cut)];
  const [standing, subscriptions, eventTypes] = await Promise.all([
    db.query<{ subscriptions: number; event_types: number }>(COUNT_STANDING, values),
    db.query<Row<SubscriptionStateRow>>(CHANGED_SUBSCRIPTIONS, [...values, new Date(endOf(cut))]),
    db.query<Row<EventTypeRow>>(CHANGED_EVENT_TYPES, [...values, new Date(endOf(cut))]),
  ]);
  const [were, wereActive] = await Promise.all([
    settle(past, LIVE_SUBSCRIPTIONS, subscriptions.rows),
    settle(past, ACTIVE_EVENT_TYPES, eventTypes.rows),
  ]);
  return {
    subscriptions: (standing.rows[0]?.subscriptions ?? 0) + were.filter(Boolean).length,
    eventTypes: (standing.rows[0]?.event_types ?? 0) + wereActive.filter(Boolean).length,
  };
};
