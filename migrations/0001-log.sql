-- The log: domain events appended in numbered log partitions and never changed, with a head row per partition that
-- gives out dense positions and carries the hash chain. New tables only; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

CREATE TABLE instance (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  instance_id uuid NOT NULL,
  partitions smallint NOT NULL CHECK (partitions BETWEEN 1 AND 1024),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Updated by every append: kept small and with room on the page, so that updates stay heap-only.
CREATE TABLE log_head (
  partition_no smallint PRIMARY KEY,
  position bigint NOT NULL DEFAULT 0,
  configuration_position bigint NOT NULL DEFAULT 0,
  delivery_epoch bigint NOT NULL DEFAULT 0,
  recorded_at timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z',
  hash bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- `data` and `metadata` are json, not jsonb: the text is kept as written, which is what the chain hashes.
-- `digest` is the first 8 bytes of the SHA-256 of the row's own text: it names the exact row when a block does not verify.
-- `block_hash` stands on the last domain event of each block (one append batch in one log partition).
CREATE TABLE domain_event (
  position bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  digest bigint NOT NULL,
  partition_no smallint NOT NULL,
  schema_version smallint NOT NULL,
  stream_version integer NOT NULL CHECK (stream_version > 0),
  stream_id text NOT NULL,
  type text NOT NULL,
  data json NOT NULL,
  metadata json NOT NULL,
  block_hash bytea,
  PRIMARY KEY (partition_no, position),
  UNIQUE (partition_no, stream_id, stream_version)
);

-- Signed statements of all heads, so that a copy kept elsewhere shows a rewritten or shortened log.
CREATE TABLE log_checkpoint (
  checkpoint_id uuid PRIMARY KEY,
  heads json NOT NULL,
  key_id text NOT NULL,
  signature bytea NOT NULL,
  signed_at timestamptz NOT NULL
);

-- Who owns which log partition for which processor. `epoch` grows with each take-over and fences every write.
CREATE TABLE processor_lease (
  processor text NOT NULL,
  partition_no smallint NOT NULL,
  owner uuid,
  epoch bigint NOT NULL DEFAULT 0,
  until timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (processor, partition_no)
) WITH (fillfactor = 50);

CREATE TABLE processor_member (
  processor text NOT NULL,
  owner uuid NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (processor, owner)
);

-- The position a processor has finished, moved in the transaction that writes what it made of it.
CREATE TABLE processor_checkpoint (
  processor text NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL DEFAULT 0,
  error text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (processor, partition_no)
) WITH (fillfactor = 50);

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'posthorn_app') THEN
    CREATE ROLE posthorn_app NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- Roles belong to the whole server: another database's migration was quicker.
END
$$;

DO $$
BEGIN
  EXECUTE format('GRANT posthorn_app TO %I', current_user);
END
$$;

GRANT USAGE ON SCHEMA public TO posthorn_app;
GRANT SELECT ON instance TO posthorn_app;
GRANT SELECT, UPDATE ON log_head TO posthorn_app;
GRANT SELECT, INSERT ON domain_event, log_checkpoint TO posthorn_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON processor_lease, processor_member, processor_checkpoint TO posthorn_app;
