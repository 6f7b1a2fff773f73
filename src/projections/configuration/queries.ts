import type { DisableReason, SubscriptionSettings } from '../../domain/subscription/events.ts';
import { decodeCursor, type Page, type PageRequest, type Queryable, rowsToRead, toPage } from '../page.ts';

/** Everything here leaves out what was deleted, unless it says otherwise. Lists are in descending order of their ids. */
type Created = { readonly createdAt: Date };

export type OrganizationRecord = Created & { readonly organizationId: string; readonly name: string };
export type ApplicationRecord = Created & {
  readonly applicationId: string;
  readonly organizationId: string;
  readonly name: string;
};
/** Without the token: that is sealed, see the vault. */
export type ApplicationSecretRecord = Created & {
  readonly secretId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly name: string | null;
  /** Set when it opens no door any more. */
  readonly deletedAt: Date | null;
};
export type EventTypeRecord = Created & {
  readonly applicationId: string;
  readonly organizationId: string;
  readonly name: string;
  readonly isActive: boolean;
  /** The version of its schema that payloads must match. */
  readonly activeSchemaVersion: number | null;
  readonly updatedAt: Date;
};
export type SubscriptionRecord = Created & {
  readonly subscriptionId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly settings: SubscriptionSettings;
  readonly disabledReason: DisableReason | null;
  readonly secretId: string;
  readonly previousSecretId: string | null;
  readonly previousValidUntil: Date | null;
  readonly updatedAt: Date;
};
/** A subscription as it stands in the log, deleted or not: routing tells "deleted" from "never there". */
export type SubscriptionState = SubscriptionRecord & {
  readonly deletedAt: Date | null;
  readonly partition: number;
  /** Of its last domain event, in its log partition. */
  readonly position: number;
};

const page = async <Row extends object, Found>(
  db: Queryable,
  {
    list,
    sql,
    kind,
    key,
    toFound,
  }: {
    list: string;
    /** `$1` to whom it belongs, `$2` the last key seen or null, `$3` how many rows. */
    sql: string;
    kind: 'uuid' | 'text';
    key: keyof Row;
    toFound: (row: Row) => Found;
  },
  owner: unknown,
  { cursor, limit }: PageRequest,
): Promise<Page<Found>> => {
  const { rows } = await db.query<Row>(sql, [owner, decodeCursor(list, kind, cursor), rowsToRead(limit)]);
  const { rows: kept, nextCursor } = toPage(list, rows, { limit, keyOf: (row) => String(row[key]) });
  return { rows: kept.map(toFound), nextCursor };
};

const first = async <Row extends object, Found>(
  db: Queryable,
  sql: string,
  values: unknown[],
  toFound: (row: Row) => Found,
): Promise<Found | undefined> => {
  const { rows } = await db.query<Row>(sql, values);
  return rows[0] && toFound(rows[0]);
};

export type OrganizationRow = { organization_id: string; name: string; created_at: Date };
const ORGANIZATION = 'SELECT organization_id, name, created_at FROM organization WHERE deleted_at IS NULL';
const FIND_ORGANIZATION = `${ORGANIZATION} AND organization_id = $1`;
const LIST_ORGANIZATIONS = `
  ${ORGANIZATION} AND ($1::uuid[] IS NULL OR organization_id = ANY($1)) AND ($2::uuid IS NULL OR organization_id < $2)
  ORDER BY organization_id DESC
  LIMIT $3`;
export const toOrganization = (row: OrganizationRow): OrganizationRecord => ({
  organizationId: row.organization_id,
  name: row.name,
  createdAt: row.created_at,
});

export const findOrganization = (db: Queryable, organizationId: string): Promise<OrganizationRecord | undefined> =>
  first(db, FIND_ORGANIZATION, [organizationId], toOrganization);

/** Of the organizations named, or of all with `all`, which is for the master key alone. */
export const listOrganizations = (
  db: Queryable,
  organizationIds: readonly string[] | 'all',
  request: PageRequest,
): Promise<Page<OrganizationRecord>> =>
  page<OrganizationRow, OrganizationRecord>(
    db,
    { list: 'organizations', sql: LIST_ORGANIZATIONS, kind: 'uuid', key: 'organization_id', toFound: toOrganization },
    organizationIds === 'all' ? null : organizationIds,
    request,
  );

export type ApplicationRow = { application_id: string; organization_id: string; name: string; created_at: Date };
export const APPLICATION_COLUMNS = 'application_id, organization_id, name, created_at';
const APPLICATION = `SELECT ${APPLICATION_COLUMNS} FROM application WHERE deleted_at IS NULL`;
const FIND_APPLICATION = `${APPLICATION} AND application_id = $1`;
const LIST_APPLICATIONS = `
  ${APPLICATION} AND organization_id = $1 AND ($2::uuid IS NULL OR application_id < $2)
  ORDER BY application_id DESC
  LIMIT $3`;
const COUNT_APPLICATIONS =
  'SELECT count(*)::int AS count FROM application WHERE deleted_at IS NULL AND organization_id = $1';
export const toApplication = (row: ApplicationRow): ApplicationRecord => ({
  applicationId: row.application_id,
  organizationId: row.organization_id,
  name: row.name,
  createdAt: row.created_at,
});

/** The caller compares `organizationId` with those it may see. */
export const findApplication = (db: Queryable, applicationId: string): Promise<ApplicationRecord | undefined> =>
  first(db, FIND_APPLICATION, [applicationId], toApplication);

export const listApplications = (
  db: Queryable,
  organizationId: string,
  request: PageRequest,
): Promise<Page<ApplicationRecord>> =>
  page<ApplicationRow, ApplicationRecord>(
    db,
    { list: 'applications', sql: LIST_APPLICATIONS, kind: 'uuid', key: 'application_id', toFound: toApplication },
    organizationId,
    request,
  );

export const countApplications = async (db: Queryable, organizationId: string): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(COUNT_APPLICATIONS, [organizationId]);
  return rows[0]?.count ?? 0;
};

export type SecretRow = {
  secret_id: string;
  application_id: string;
  organization_id: string;
  name: string | null;
  created_at: Date;
  deleted_at: Date | null;
};
export const SECRET_COLUMNS = 'secret_id, application_id, organization_id, name, created_at, deleted_at';
const SECRET = `SELECT ${SECRET_COLUMNS} FROM application_secret`;
const FIND_SECRET = `
  ${SECRET}
  WHERE deleted_at IS NULL AND application_id = $1 AND (secret_id = $2 OR token_sha256 = decode($3, 'hex'))`;
const LIST_SECRETS = `
  ${SECRET} WHERE deleted_at IS NULL AND application_id = $1 AND ($2::uuid IS NULL OR secret_id < $2)
  ORDER BY secret_id DESC
  LIMIT $3`;
const LIST_SECRETS_EVER = LIST_SECRETS.replace('deleted_at IS NULL AND ', '');
export const toSecret = (row: SecretRow): ApplicationSecretRecord => ({
  secretId: row.secret_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  name: row.name,
  createdAt: row.created_at,
  deletedAt: row.deleted_at,
});

/** By its id or by its token: both are random, so that none is taken for the other. */
export const findApplicationSecret = (
  db: Queryable,
  applicationId: string,
  { secretId, tokenSha256 = '' }: { readonly secretId: string; readonly tokenSha256?: string },
): Promise<ApplicationSecretRecord | undefined> =>
  first(db, FIND_SECRET, [applicationId, secretId, tokenSha256], toSecret);

export const listApplicationSecrets = (
  db: Queryable,
  applicationId: string,
  { withDeleted = false, ...request }: PageRequest & { readonly withDeleted?: boolean },
): Promise<Page<ApplicationSecretRecord>> =>
  page<SecretRow, ApplicationSecretRecord>(
    db,
    {
      list: 'application_secrets',
      sql: withDeleted ? LIST_SECRETS_EVER : LIST_SECRETS,
      kind: 'uuid',
      key: 'secret_id',
      toFound: toSecret,
    },
    applicationId,
    request,
  );

export type EventTypeRow = {
  application_id: string;
  organization_id: string;
  name: string;
  is_active: boolean;
  active_schema_version: number | null;
  created_at: Date;
  updated_at: Date;
};
export const EVENT_TYPE_COLUMNS =
  'application_id, organization_id, name, is_active, active_schema_version, created_at, updated_at';
const EVENT_TYPE = `SELECT ${EVENT_TYPE_COLUMNS} FROM event_type WHERE application_id = $1`;
const FIND_EVENT_TYPE = `${EVENT_TYPE} AND name = $2`;
/** In the order of bytes, whatever the database's collation: a cursor must mean the same everywhere. */
const LIST_EVENT_TYPES = `
  ${EVENT_TYPE} AND is_active AND ($2::text IS NULL OR name COLLATE "C" > $2)
  ORDER BY name COLLATE "C"
  LIMIT $3`;
export const toEventType = (row: EventTypeRow): EventTypeRecord => ({
  applicationId: row.application_id,
  organizationId: row.organization_id,
  name: row.name,
  isActive: row.is_active,
  activeSchemaVersion: row.active_schema_version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** Also a deactivated one. */
export const findEventType = (
  db: Queryable,
  applicationId: string,
  name: string,
): Promise<EventTypeRecord | undefined> => first(db, FIND_EVENT_TYPE, [applicationId, name], toEventType);

/** The active ones, by name. */
export const listEventTypes = (
  db: Queryable,
  applicationId: string,
  request: PageRequest,
): Promise<Page<EventTypeRecord>> =>
  page<EventTypeRow, EventTypeRecord>(
    db,
    { list: 'event_types', sql: LIST_EVENT_TYPES, kind: 'text', key: 'name', toFound: toEventType },
    applicationId,
    request,
  );

export type SubscriptionRow = {
  subscription_id: string;
  application_id: string;
  organization_id: string;
  is_enabled: boolean;
  settings: SubscriptionSettings;
  disabled_reason: DisableReason | null;
  secret_id: string;
  previous_secret_id: string | null;
  previous_valid_until: Date | null;
  created_at: Date;
  updated_at: Date;
};
export const SUBSCRIPTION_COLUMNS = `subscription_id, application_id, organization_id, is_enabled, settings, disabled_reason, secret_id,
  previous_secret_id, previous_valid_until, created_at, updated_at`;
const SUBSCRIPTION = `
  SELECT ${SUBSCRIPTION_COLUMNS}
  FROM subscription
  WHERE deleted_at IS NULL`;
const FIND_SUBSCRIPTION = `${SUBSCRIPTION} AND subscription_id = $1`;
const LIST_SUBSCRIPTIONS = `
  ${SUBSCRIPTION} AND application_id = $1 AND ($2::uuid IS NULL OR subscription_id < $2)
  ORDER BY subscription_id DESC
  LIMIT $3`;
const FIND_SETTINGS = 'SELECT subscription_id, settings FROM subscription WHERE subscription_id = ANY($1::uuid[])';
export const toSubscription = (row: SubscriptionRow): SubscriptionRecord => ({
  subscriptionId: row.subscription_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  settings: { ...row.settings, isEnabled: row.is_enabled },
  disabledReason: row.disabled_reason,
  secretId: row.secret_id,
  previousSecretId: row.previous_secret_id,
  previousValidUntil: row.previous_valid_until,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

export type SubscriptionStateRow = SubscriptionRow & {
  deleted_at: Date | null;
  partition_no: number;
  position: number;
};
export const SUBSCRIPTION_STATE_COLUMNS = `${SUBSCRIPTION_COLUMNS}, deleted_at, partition_no, position::float8 AS position`;
export const toSubscriptionState = (row: SubscriptionStateRow): SubscriptionState => ({
  ...toSubscription(row),
  deletedAt: row.deleted_at,
  partition: row.partition_no,
  position: row.position,
});

/** The caller compares `applicationId` and `organizationId` with those it may see. */
export const findSubscription = (db: Queryable, subscriptionId: string): Promise<SubscriptionRecord | undefined> =>
  first(db, FIND_SUBSCRIPTION, [subscriptionId], toSubscription);

export const listSubscriptions = (
  db: Queryable,
  applicationId: string,
  request: PageRequest,
): Promise<Page<SubscriptionRecord>> =>
  page<SubscriptionRow, SubscriptionRecord>(
    db,
    { list: 'subscriptions', sql: LIST_SUBSCRIPTIONS, kind: 'uuid', key: 'subscription_id', toFound: toSubscription },
    applicationId,
    request,
  );

/** Of deleted subscriptions, too: their attempts are still shown. Read here and not in SQL, since `->>` refuses a NUL. */
export const findSubscriptionDescriptions = async (
  db: Queryable,
  subscriptionIds: readonly string[],
): Promise<Map<string, string | null>> => {
  if (subscriptionIds.length === 0) return new Map();
  const { rows } = await db.query<{ subscription_id: string; settings: SubscriptionSettings }>(FIND_SETTINGS, [
    subscriptionIds,
  ]);
  return new Map(rows.map((row) => [row.subscription_id, row.settings.description]));
};

const LOCK_ORGANIZATION = `
  SELECT deleted_at IS NULL AS is_alive FROM organization WHERE organization_id = $1 FOR UPDATE`;

/**
 * Until the end of the transaction nobody else who asks for the same gets on, and nobody deletes it. False when it was deleted.
 */
export const lockOrganization = async (db: Queryable, organizationId: string): Promise<boolean> => {
  const { rows } = await db.query<{ is_alive: boolean }>(LOCK_ORGANIZATION, [organizationId]);
  return rows[0]?.is_alive === true;
};
