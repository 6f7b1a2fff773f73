import type { ApplicationEvent } from '../../domain/application/events.ts';
import type { ApplicationSecretEvent } from '../../domain/application-secret/events.ts';
import type { EventTypeEvent } from '../../domain/event-type/events.ts';
import type { OrganizationEvent } from '../../domain/organization/events.ts';
import type { SubscriptionEvent } from '../../domain/subscription/events.ts';
import type { RecordedEvent, RunQuery } from '../../eventstore/types.ts';
import { auditEntryProjection } from '../audit/projection.ts';
import { identityProjections } from '../identity/projections.ts';
import { type Change, inlineProjection } from '../inline.ts';
import type { Projection, ProjectionTarget } from '../projection.ts';
import { quotaProjections } from '../quota/projections.ts';
import { refusalProjection } from '../refusal/projection.ts';

export const organizationProjection = inlineProjection<Extract<OrganizationEvent, { type: `Organization${string}` }>>(
  'organization',
  ['OrganizationCreated', 'OrganizationRenamed', 'OrganizationDeleted', 'OrganizationErased'],
  ({ type, data, partition, position }, table) => {
    switch (type) {
      case 'OrganizationCreated':
        return [
          `INSERT INTO ${table('organization')} (organization_id, name, created_at, partition_no, position) VALUES ($1, $2, $3, $4, $5)`,
          [data.organizationId, data.name, data.createdAt, partition, position],
        ];
      case 'OrganizationRenamed':
        return [
          `UPDATE ${table('organization')} SET name = $2, position = $3 WHERE organization_id = $1`,
          [data.organizationId, data.name, position],
        ];
      case 'OrganizationDeleted':
        return [
          `UPDATE ${table('organization')} SET deleted_at = $2, position = $3 WHERE organization_id = $1`,
          [data.organizationId, data.deletedAt, position],
        ];
      case 'OrganizationErased':
        return [
          `UPDATE ${table('organization')} SET erased_at = $2, position = $3 WHERE organization_id = $1`,
          [data.organizationId, data.erasedAt, position],
        ];
    }
  },
);

export const applicationProjection = inlineProjection<ApplicationEvent>(
  'application',
  ['ApplicationCreated', 'ApplicationRenamed', 'ApplicationDeleted'],
  ({ type, data, partition, position }, table) => {
    switch (type) {
      case 'ApplicationCreated':
        return [
          `INSERT INTO ${table('application')} (application_id, organization_id, name, created_at, partition_no, position)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [data.applicationId, data.organizationId, data.name, data.createdAt, partition, position],
        ];
      case 'ApplicationRenamed':
        return [
          `UPDATE ${table('application')} SET name = $2, position = $3 WHERE application_id = $1`,
          [data.applicationId, data.name, position],
        ];
      case 'ApplicationDeleted':
        return [
          `UPDATE ${table('application')} SET deleted_at = $2, position = $3 WHERE application_id = $1`,
          [data.applicationId, data.deletedAt, position],
        ];
    }
  },
);

export const applicationSecretProjection = inlineProjection<ApplicationSecretEvent>(
  'application_secret',
  ['ApplicationSecretCreated', 'ApplicationSecretRenamed', 'ApplicationSecretDeleted'],
  ({ type, data, partition, position }, table) => {
    switch (type) {
      case 'ApplicationSecretCreated':
        return [
          `INSERT INTO ${table('application_secret')}
             (secret_id, application_id, organization_id, name, token_sha256, created_at, partition_no, position)
           VALUES ($1, $2, $3, $4, decode($5, 'hex'), $6, $7, $8)`,
          [
            data.secretId,
            data.applicationId,
            data.organizationId,
            data.name,
            data.tokenSha256,
            data.createdAt,
            partition,
            position,
          ],
        ];
      case 'ApplicationSecretRenamed':
        return [
          `UPDATE ${table('application_secret')} SET name = $2, position = $3 WHERE secret_id = $1`,
          [data.secretId, data.name, position],
        ];
      case 'ApplicationSecretDeleted':
        return [
          `UPDATE ${table('application_secret')} SET deleted_at = $2, position = $3 WHERE secret_id = $1`,
          [data.secretId, data.deletedAt, position],
        ];
    }
  },
);

type SchemaAdded = Extract<EventTypeEvent, { type: 'EventTypeSchemaAdded' }>;

export const eventTypeProjection = inlineProjection<Exclude<EventTypeEvent, SchemaAdded>>(
  'event_type',
  [
    'EventTypeCreated',
    'EventTypeDeactivated',
    'EventTypeReactivated',
    'EventTypeSchemaActivated',
    'EventTypeSchemaDeactivated',
  ],
  ({ type, data, partition, position }, table) => {
    const set = (isActive: boolean, at: string): Change => [
      `UPDATE ${table('event_type')} SET is_active = $3, updated_at = $4, position = $5 WHERE application_id = $1 AND name = $2`,
      [data.applicationId, data.name, isActive, at, position],
    ];
    const enforce = (version: number | null, at: string): Change => [
      `UPDATE ${table('event_type')} SET active_schema_version = $3, updated_at = $4, position = $5
       WHERE application_id = $1 AND name = $2`,
      [data.applicationId, data.name, version, at, position],
    ];
    switch (type) {
      case 'EventTypeCreated':
        return [
          `INSERT INTO ${table('event_type')}
             (application_id, organization_id, name, is_active, created_at, updated_at, partition_no, position)
           VALUES ($1, $2, $3, true, $4, $4, $5, $6)`,
          [data.applicationId, data.organizationId, data.name, data.createdAt, partition, position],
        ];
      case 'EventTypeDeactivated':
        return set(false, data.deactivatedAt);
      case 'EventTypeReactivated':
        return set(true, data.reactivatedAt);
      case 'EventTypeSchemaActivated':
        return enforce(data.version, data.activatedAt);
      case 'EventTypeSchemaDeactivated':
        return enforce(null, data.deactivatedAt);
    }
  },
);

export const eventTypeSchemaProjection = inlineProjection<SchemaAdded>(
  'event_type_schema',
  ['EventTypeSchemaAdded'],
  ({ data, partition, position }, table) => [
    `INSERT INTO ${table('event_type_schema')}
       (application_id, organization_id, name, version, schema, sha256, created_at, partition_no, position)
     VALUES ($1, $2, $3, $4, $5::json, decode($6, 'hex'), $7, $8, $9)`,
    [
      data.applicationId,
      data.organizationId,
      data.name,
      data.version,
      JSON.stringify(data.schema),
      data.sha256,
      data.addedAt,
      partition,
      position,
    ],
  ],
);

export const subscriptionProjection = inlineProjection<SubscriptionEvent>(
  'subscription',
  [
    'SubscriptionCreated',
    'SubscriptionReplaced',
    'SubscriptionEnabled',
    'SubscriptionDisabled',
    'SubscriptionSecretRotated',
    'SubscriptionDeleted',
  ],
  ({ type, data, partition, position }, table) => {
    const id = data.subscriptionId;
    switch (type) {
      case 'SubscriptionCreated':
        return [
          `INSERT INTO ${table('subscription')}
             (subscription_id, application_id, organization_id, is_enabled, settings, secret_id, created_at, updated_at, partition_no, position)
           VALUES ($1, $2, $3, $4, $5::json, $6, $7, $7, $8, $9)`,
          [
            id,
            data.applicationId,
            data.organizationId,
            data.settings.isEnabled,
            JSON.stringify(data.settings),
            data.secretId,
            data.createdAt,
            partition,
            position,
          ],
        ];
      case 'SubscriptionReplaced':
        return [
          `UPDATE ${table('subscription')} SET settings = $2::json, updated_at = $3, position = $4 WHERE subscription_id = $1`,
          [id, JSON.stringify(data.settings), data.replacedAt, position],
        ];
      case 'SubscriptionEnabled':
        return [
          `UPDATE ${table('subscription')} SET is_enabled = true, disabled_reason = NULL, updated_at = $2, position = $3
           WHERE subscription_id = $1`,
          [id, data.enabledAt, position],
        ];
      case 'SubscriptionDisabled':
        return [
          `UPDATE ${table('subscription')}
           SET is_enabled = false, disabled_reason = $2, disabled_position = $4, updated_at = $3, position = $4
           WHERE subscription_id = $1`,
          [id, data.reason, data.disabledAt, position],
        ];
      case 'SubscriptionSecretRotated':
        return [
          `UPDATE ${table('subscription')}
           SET secret_id = $2, previous_secret_id = $3, previous_valid_until = $4, updated_at = $5, position = $6
           WHERE subscription_id = $1`,
          [id, data.secretId, data.previousSecretId, data.previousValidUntil, data.rotatedAt, position],
        ];
      case 'SubscriptionDeleted':
        return [
          `UPDATE ${table('subscription')} SET deleted_at = $2, disabled_position = $3, updated_at = $2, position = $3
           WHERE subscription_id = $1`,
          [id, data.deletedAt, position],
        ];
    }
  },
);

/** All tables of the configuration, each with its projection. An append with one of their domain events moves it. */
export const configurationProjections: readonly Projection[] = [
  organizationProjection,
  applicationProjection,
  applicationSecretProjection,
  eventTypeProjection,
  eventTypeSchemaProjection,
  subscriptionProjection,
  auditEntryProjection,
];

/** Domain events that change what later events are routed with. */
export const CONFIGURATION_TYPES: ReadonlySet<string> = new Set(
  configurationProjections.flatMap(({ canHandle }) => canHandle),
);

/** All that is written within the append. */
export const inlineProjections: readonly Projection[] = [
  ...configurationProjections,
  ...identityProjections,
  ...quotaProjections,
  refusalProjection,
];

/** Keeps what commands are decided with in step with the log: for the `project` of an append. */
export const projectConfiguration = async (events: readonly RecordedEvent[], run: RunQuery): Promise<void> => {
  const target: ProjectionTarget = { run, table: (name) => name };
  for (const projection of inlineProjections) await projection.apply(events, target);
};
