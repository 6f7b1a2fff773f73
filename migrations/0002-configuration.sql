-- The configuration that events are routed with, kept in step with the log inside each append (few rows, rare changes),
-- and the sealed values that must never be in the log. New tables only; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

CREATE TABLE organization (
  organization_id uuid PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);

CREATE TABLE application (
  application_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  name text NOT NULL,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX application_by_organization ON application (organization_id, application_id) WHERE deleted_at IS NULL;

CREATE TABLE application_secret (
  secret_id uuid PRIMARY KEY,
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  name text,
  token_sha256 bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX application_secret_by_application ON application_secret (application_id);

CREATE TABLE event_type (
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  name text NOT NULL,
  is_active boolean NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (application_id, name)
);

-- `disabled_position` is where the last disabling or the deletion stands in the application's log partition: deliveries
-- routed before it are cancelled, also when the subscription was enabled again since.
CREATE TABLE subscription (
  subscription_id uuid PRIMARY KEY,
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  is_enabled boolean NOT NULL,
  settings json NOT NULL,
  secret_id uuid NOT NULL,
  previous_secret_id uuid,
  previous_valid_until timestamptz,
  disabled_reason text,
  disabled_position bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX subscription_by_application ON subscription (application_id, subscription_id) WHERE deleted_at IS NULL;
CREATE INDEX subscription_by_position ON subscription (partition_no, position);

-- One data key per organization, wrapped by a key of POSTHORN_ENCRYPTION_KEYS; destroying the row destroys what it sealed.
CREATE TABLE data_key (
  organization_id uuid PRIMARY KEY,
  key_id text NOT NULL,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE sealed_value (
  sealed_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  ciphertext bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

GRANT SELECT, INSERT, UPDATE ON organization, application, application_secret, event_type, subscription TO posthorn_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON data_key, sealed_value TO posthorn_app;
