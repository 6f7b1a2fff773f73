-- The past can be read: rows of the read models tell where in the log they began, dead letters keep the spells that are
-- over, and counters stand beside deliveries. The tables are emptied, which locks them for a moment, and the new versions of
-- their projections fill them from the log. Projectors of an older release stop at the columns they do not know.
SET LOCAL lock_timeout = '5s';

TRUNCATE event, delivery, request_attempt;

-- The how-manieth of its application: events up to any point of the log are counted by one look-up. 8 bytes a row.
ALTER TABLE event ADD COLUMN ordinal bigint NOT NULL;

-- With `position`, the last change, this tells for any cut through the log whether a row is its own past
-- (position <= cut), was under way (created_position <= cut < position), or not there yet. 8 bytes a row; in no index, so
-- that updates stay heap-only.
ALTER TABLE delivery ADD COLUMN created_position bigint NOT NULL;
ALTER TABLE request_attempt
  ADD COLUMN created_position bigint NOT NULL,
  ADD COLUMN position bigint NOT NULL;
-- What waited at an instant was due after it. Of retries alone: a delivery that succeeds at once never gets here.
CREATE INDEX request_attempt_retry ON request_attempt (application_id, due_at, request_attempt_id) WHERE retry_count > 0;

-- Changes of an application's deliveries and request attempts in 256 positions of a log partition; counts are sums of them.
CREATE TABLE delivery_tally (
  bucket bigint NOT NULL,
  partition_no smallint NOT NULL,
  deliveries integer NOT NULL,
  succeeded integer NOT NULL,
  dead_lettered integer NOT NULL,
  cancelled integer NOT NULL,
  attempts integer NOT NULL,
  attempts_succeeded integer NOT NULL,
  attempts_failed integer NOT NULL,
  attempts_timed_out integer NOT NULL,
  attempts_cancelled integer NOT NULL,
  application_id uuid NOT NULL,
  PRIMARY KEY (application_id, partition_no, bucket)
) WITH (fillfactor = 70);

-- One row per spell among the dead letters: from `position` until a replay at `left_position`.
DROP TABLE dead_letter;
CREATE TABLE dead_letter (
  position bigint NOT NULL,
  left_position bigint,
  dead_lettered_at timestamptz NOT NULL,
  left_at timestamptz,
  attempts integer NOT NULL,
  last_http_status smallint,
  partition_no smallint NOT NULL,
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  event_id uuid NOT NULL,
  delivery_id uuid NOT NULL,
  event_type text NOT NULL,
  reason text NOT NULL,
  last_failure text,
  PRIMARY KEY (application_id, delivery_id, position, partition_no)
);
CREATE INDEX dead_letter_live ON dead_letter (application_id, delivery_id) WHERE left_position IS NULL;
CREATE INDEX dead_letter_live_by_subscription ON dead_letter (application_id, subscription_id, delivery_id)
  WHERE left_position IS NULL;
CREATE INDEX dead_letter_by_subscription ON dead_letter (application_id, subscription_id, delivery_id);

-- The configuration of the past includes what was deleted since. Few rows, rare changes.
CREATE INDEX application_ever ON application (organization_id, application_id);
CREATE INDEX subscription_ever ON subscription (application_id, subscription_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON delivery_tally, dead_letter TO posthorn_app;
