-- Throughput, outcomes and durations by the minute, for charts: a read model like the others, filled from the log by its
-- projection. A new table only; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

-- `subscription_id` is the nil UUID where it is about events, which belong to no subscription. `durations` counts requests by
-- how long they took, in buckets each a fifth wider than the one before. No column that changes is in the index, and a
-- minute's row is changed by every batch of that minute: half-filled pages keep those updates heap-only.
CREATE TABLE traffic_minute (
  minute timestamptz NOT NULL,
  events integer NOT NULL,
  succeeded integer NOT NULL,
  failed integer NOT NULL,
  timeouts integer NOT NULL,
  dead_lettered integer NOT NULL,
  partition_no smallint NOT NULL,
  application_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  durations integer[] NOT NULL,
  PRIMARY KEY (application_id, minute, subscription_id, partition_no)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON traffic_minute TO posthorn_app;
