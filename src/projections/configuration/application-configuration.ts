import type { Pool } from 'pg';
import type { SubscriptionSettings } from '../../domain/subscription/events.ts';
import { compileRoutes, type Matcher } from '../../domain/subscription/routing.ts';

/** A subscription as it stands, with what sending needs. */
export type SubscriptionConfiguration = {
  readonly subscriptionId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly settings: SubscriptionSettings;
  readonly secretId: string;
  readonly previousSecretId: string | null;
  /** Milliseconds; the previous secret signs beside the new one until then. */
  readonly previousValidUntilMs: number;
  readonly isDeleted: boolean;
  /** Deliveries routed before this position of the application's log partition are cancelled. */
  readonly disabledPosition: number;
};

/** All that an event of one application is routed with, as of one position of its log partition. */
export type ApplicationConfiguration = {
  readonly applicationId: string;
  readonly organizationId: string;
  readonly partition: number;
  readonly configurationPosition: number;
  /** Names of the active event types. */
  readonly eventTypes: ReadonlySet<string>;
  /** Versions of the schemas that payloads must match, by the names of active event types. */
  readonly schemaVersions: ReadonlyMap<string, number>;
  /** Ids of the application secrets that open doors. */
  readonly secretIds: ReadonlySet<string>;
  /** Ids of the subscriptions that are enabled. */
  readonly enabledIds: ReadonlySet<string>;
  readonly routes: Matcher<SubscriptionConfiguration>;
};

export type SubscriptionRow = {
  subscription_id: string;
  application_id: string;
  organization_id: string;
  is_enabled: boolean;
  settings: SubscriptionSettings;
  secret_id: string;
  previous_secret_id: string | null;
  previous_valid_ms: number | null;
  is_deleted: boolean;
  disabled_position: number;
};

export const SUBSCRIPTION_COLUMNS = `subscription_id, application_id, organization_id, is_enabled, settings, secret_id, previous_secret_id,
  (extract(epoch FROM previous_valid_until) * 1000)::float8 AS previous_valid_ms, deleted_at IS NOT NULL AS is_deleted,
  disabled_position::float8 AS disabled_position`;

export const toSubscriptionConfiguration = (row: SubscriptionRow): SubscriptionConfiguration => ({
  subscriptionId: row.subscription_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  settings: { ...row.settings, isEnabled: row.is_enabled },
  secretId: row.secret_id,
  previousSecretId: row.previous_secret_id,
  previousValidUntilMs: row.previous_valid_ms ?? 0,
  isDeleted: row.is_deleted,
  disabledPosition: row.disabled_position,
});

/** One statement, so that everything comes from one snapshot and the position fits what was read. */
const LOAD = `
  SELECT a.organization_id, a.partition_no, h.configuration_position::float8 AS configuration_position,
    coalesce((SELECT json_agg(name) FROM event_type WHERE application_id = a.application_id AND is_active), '[]') AS event_types,
    coalesce((SELECT json_agg(json_build_array(name, active_schema_version)) FROM event_type
              WHERE application_id = a.application_id AND is_active AND active_schema_version IS NOT NULL), '[]') AS schema_versions,
    coalesce((SELECT json_agg(secret_id) FROM application_secret
              WHERE application_id = a.application_id AND deleted_at IS NULL), '[]') AS secret_ids,
    coalesce((SELECT json_agg(s) FROM (
      SELECT ${SUBSCRIPTION_COLUMNS} FROM subscription
      WHERE application_id = a.application_id AND deleted_at IS NULL ORDER BY created_at, subscription_id) AS s), '[]') AS subscriptions
  FROM application AS a JOIN log_head AS h ON h.partition_no = a.partition_no
  WHERE a.application_id = $1 AND a.deleted_at IS NULL`;

type ConfigurationRow = {
  organization_id: string;
  partition_no: number;
  configuration_position: number;
  event_types: string[];
  schema_versions: [name: string, version: number][];
  secret_ids: string[];
  subscriptions: SubscriptionRow[];
};

/** Undefined when there is no such application, or it was deleted. */
export const loadApplicationConfiguration = async (
  pool: Pool,
  applicationId: string,
): Promise<ApplicationConfiguration | undefined> => {
  const { rows } = await pool.query<ConfigurationRow>({
    name: 'load_configuration',
    text: LOAD,
    values: [applicationId],
  });
  const row = rows[0];
  if (!row) return undefined;
  return {
    applicationId,
    organizationId: row.organization_id,
    partition: row.partition_no,
    configurationPosition: row.configuration_position,
    eventTypes: new Set(row.event_types),
    schemaVersions: new Map(row.schema_versions),
    secretIds: new Set(row.secret_ids),
    enabledIds: new Set(row.subscriptions.flatMap((of) => (of.is_enabled ? [of.subscription_id] : []))),
    routes: compileRoutes(row.subscriptions.map(toSubscriptionConfiguration)),
  };
};
