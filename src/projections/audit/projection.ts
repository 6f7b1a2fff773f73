import type { RecordedEvent } from '../../eventstore/types.ts';
import type { Projection } from '../projection.ts';

/** Domain events of an application's configuration; what becomes of its events is not among them. */
export const AUDITED = [
  'ApplicationCreated',
  'ApplicationRenamed',
  'ApplicationDeleted',
  'ApplicationSecretCreated',
  'ApplicationSecretRenamed',
  'ApplicationSecretDeleted',
  'EventTypeCreated',
  'EventTypeDeactivated',
  'EventTypeReactivated',
  'EventTypeSchemaAdded',
  'EventTypeSchemaActivated',
  'EventTypeSchemaDeactivated',
  'SubscriptionCreated',
  'SubscriptionReplaced',
  'SubscriptionEnabled',
  'SubscriptionDisabled',
  'SubscriptionSecretRotated',
  'SubscriptionDeleted',
] as const;

const insertInto = (table: string): string => `
  INSERT INTO ${table}
    (position, recorded_at, stream_version, partition_no, application_id, organization_id, type, actor, stream_id)
  VALUES ($1, to_timestamp($2::float8 / 1000), $3, $4, $5, $6, $7, $8, $9)`;

/** Where in the log the changes of an application's configuration are; what they changed is read there. */
export const auditEntryProjection: Projection = {
  name: 'audit_entry',
  version: 1,
  tables: ['audit_entry'],
  canHandle: AUDITED,
  mode: 'inline',
  apply: async (batch: readonly RecordedEvent[], { run, table }) => {
    for (const { type, position, recordedAtMs, streamVersion, partition, data, metadata, streamId } of batch)
      if ((AUDITED as readonly string[]).includes(type))
        await run(insertInto(table('audit_entry')), [
          position,
          recordedAtMs,
          streamVersion,
          partition,
          data.applicationId,
          data.organizationId,
          type,
          metadata.actor,
          streamId,
        ]);
  },
};
