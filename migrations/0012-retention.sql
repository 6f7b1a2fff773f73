-- Payloads and answers are dropped when their time is over, whole days where that is possible; and what was dropped is kept until
-- the log tells it. A new table, a function and rights; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

-- Written in the transaction that drops or deletes, and emptied in the one that appends RetentionApplied: so the log tells all of it,
-- once, whenever a process is killed. A few rows for some seconds.
CREATE TABLE retention_cleaned (
  cleaned_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  -- Set when a whole day was dropped.
  dropped_day date,
  rows bigint NOT NULL,
  bytes bigint NOT NULL
);

-- The processes may not drop tables. This drops one day of payloads or answers, of a day that is over for a day at least and that no
-- delivery waits for, and nothing else. Dropping locks the whole table against ingest for a moment: it does not queue for that lock
-- for longer than ingest may stand behind it. True when the day is gone.
CREATE FUNCTION posthorn_drop_day(parent text, old_day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '200ms' AS $$
DECLARE
  name text := parent || to_char(old_day, '_YYYYMMDD');
  found_rows bigint;
  found_bytes bigint;
BEGIN
  IF parent NOT IN ('payload', 'response') THEN
    RAISE EXCEPTION 'There are no days of %.', parent;
  END IF;
  IF old_day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - 1 THEN
    RAISE EXCEPTION 'Day % is too young to be dropped.', old_day;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_inherits
                 WHERE inhrelid = to_regclass(format('public.%I', name)) AND inhparent = format('public.%I', parent)::regclass) THEN
    RETURN false;
  END IF;
  IF parent = 'payload' AND EXISTS (
    SELECT FROM public.pending_delivery
    WHERE received_at >= old_day::timestamp AT TIME ZONE 'UTC' AND received_at < (old_day + 1)::timestamp AT TIME ZONE 'UTC') THEN
    RETURN false;
  END IF;
  -- Counted before it is locked: nothing is added to a day that is over.
  EXECUTE format('SELECT count(*) FROM public.%I', name) INTO found_rows;
  found_bytes := pg_total_relation_size(format('public.%I', name)::regclass);
  EXECUTE format('DROP TABLE public.%I', name);
  INSERT INTO public.retention_cleaned (kind, dropped_day, rows, bytes) VALUES (parent, old_day, found_rows, found_bytes);
  RETURN true;
END
$$;
REVOKE ALL ON FUNCTION posthorn_drop_day(text, date) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION posthorn_drop_day(text, date) TO posthorn_app;
GRANT SELECT, INSERT, DELETE ON retention_cleaned TO posthorn_app;
-- For applications whose time is shorter than that of others in the same day; and to see what came when its day had no table.
GRANT DELETE ON payload, response TO posthorn_app;
GRANT SELECT ON payload_default, response_default TO posthorn_app;
