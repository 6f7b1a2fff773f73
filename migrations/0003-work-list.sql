-- What is owed: the work list of deliveries, and the bodies beside the log, in day partitions that can be dropped without
-- touching the log. New tables only; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

-- One row per delivery that is not over. Rows come and go quickly, so vacuum has to follow closely.
CREATE TABLE pending_delivery (
  due_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  configuration_position bigint NOT NULL,
  attempt_number integer NOT NULL,
  retry_count integer NOT NULL,
  stream_version integer NOT NULL,
  partition_no smallint NOT NULL,
  delivery_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  application_id uuid NOT NULL,
  organization_id uuid NOT NULL,
  event_id uuid NOT NULL,
  attempt_id uuid NOT NULL,
  event_type text NOT NULL,
  content_type text NOT NULL,
  PRIMARY KEY (partition_no, delivery_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_limit = 2000);
-- The expression, and leaving out the delivery, keep this index for queries that spell it: the planner believes the work list
-- to be as empty as when it was last analysed, and would else take it for look-ups by delivery and walk the whole of it.
CREATE INDEX pending_delivery_by_subscription ON pending_delivery ((partition_no + 0), subscription_id, due_at);
-- First attempts are due at once and handed over by the log; only what waits is looked up by time.
CREATE INDEX pending_delivery_waiting ON pending_delivery (partition_no, due_at, delivery_id) WHERE attempt_number > 1;

-- The exact bytes received, once per event however many subscriptions want it.
CREATE TABLE payload (
  day date NOT NULL,
  partition_no smallint NOT NULL,
  application_id uuid NOT NULL,
  event_id uuid NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (partition_no, application_id, event_id, day)
) PARTITION BY RANGE (day);

-- What receivers answered: at most 64 KiB of body and 16 KiB of headers per request attempt.
CREATE TABLE response (
  day date NOT NULL,
  partition_no smallint NOT NULL,
  application_id uuid NOT NULL,
  attempt_id uuid NOT NULL,
  headers json NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (partition_no, application_id, attempt_id, day)
) PARTITION BY RANGE (day);

-- Nothing is refused for want of a day partition: what has none goes here.
CREATE TABLE payload_default PARTITION OF payload DEFAULT;
CREATE TABLE response_default PARTITION OF response DEFAULT;

-- The processes may not create tables, yet days must be made ahead while they run: this does that and nothing else.
CREATE FUNCTION posthorn_make_days(first_day date, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  parent text;
  wanted date;
  made integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('posthorn_make_days'));
  FOREACH parent IN ARRAY ARRAY['payload', 'response'] LOOP
    FOR wanted IN SELECT first_day + d FROM generate_series(0, least(days, 400) - 1) AS d LOOP
      IF to_regclass(format('public.%I', parent || to_char(wanted, '_YYYYMMDD'))) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                       parent || to_char(wanted, '_YYYYMMDD'), parent, wanted, wanted + 1);
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;
REVOKE ALL ON FUNCTION posthorn_make_days(date, integer) FROM PUBLIC;
SELECT posthorn_make_days((clock_timestamp() AT TIME ZONE 'UTC')::date - 1, 16);

GRANT EXECUTE ON FUNCTION posthorn_make_days(date, integer) TO posthorn_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON pending_delivery TO posthorn_app;
GRANT SELECT, INSERT ON payload, response TO posthorn_app;
