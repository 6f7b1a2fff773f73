-- JSON Schemas of event types, kept in step with the log inside each append like the rest of the configuration. A new table, and
-- a column without a default, for which `event_type` is locked for a moment and not rewritten.
SET LOCAL lock_timeout = '5s';

-- Rows are never changed: a version is what it was added as.
CREATE TABLE event_type_schema (
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  name text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  schema json NOT NULL,
  sha256 bytea NOT NULL,
  created_at timestamptz NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (application_id, name, version)
);

-- The version that payloads must match; null while none is enforced.
ALTER TABLE event_type ADD COLUMN active_schema_version integer;

GRANT SELECT, INSERT, UPDATE ON event_type_schema TO posthorn_app;
