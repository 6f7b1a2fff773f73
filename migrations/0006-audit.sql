-- Changes of an application's configuration in one list, written within the append like the configuration itself; deliveries
-- and events never come here. Filled from the log, which reads it once; a new table, nothing existing is locked.
SET LOCAL lock_timeout = '5s';

CREATE TABLE audit_entry (
  position bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  stream_version integer NOT NULL,
  partition_no smallint NOT NULL,
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  type text NOT NULL,
  actor text NOT NULL,
  stream_id text NOT NULL,
  PRIMARY KEY (application_id, position, partition_no)
);

INSERT INTO audit_entry
  (position, recorded_at, stream_version, partition_no, application_id, organization_id, type, actor, stream_id)
SELECT position, recorded_at, stream_version, partition_no, (data ->> 'applicationId')::uuid, (data ->> 'organizationId')::uuid,
       type, metadata ->> 'actor', stream_id
FROM domain_event
WHERE type ~ '^(Application|EventType|Subscription)';

GRANT SELECT, INSERT, UPDATE, DELETE ON audit_entry TO posthorn_app;
