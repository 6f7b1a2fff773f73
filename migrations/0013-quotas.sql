-- What plans, organizations and applications may use, and how many events they have ingested on each day (UTC). New tables and a
-- new function only; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

CREATE TABLE plan (
  name text PRIMARY KEY,
  label text NOT NULL,
  limits json NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);

-- Of an organization or an application: a limit that is missing is that of the next one up.
CREATE TABLE quota (
  scope_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  plan text,
  limits json NOT NULL,
  partition_no smallint NOT NULL,
  position bigint NOT NULL
);

-- Counted in the transaction of the ingest, only where quotas are enforced. Not of the log: it is what the log was asked with.
CREATE TABLE event_usage (
  scope_id uuid NOT NULL,
  day date NOT NULL,
  used integer NOT NULL,
  PRIMARY KEY (scope_id, day)
) WITH (fillfactor = 20);
CREATE INDEX event_usage_by_day ON event_usage (day);

-- Takes one event of the day for each key, from its application and its organization, as far as both go; answers with the keys
-- that got theirs. The rows are locked in one order, after the heads of the log, and each statement sees what was committed before it.
CREATE FUNCTION posthorn_take_events(
  keys text[], organizations uuid[], organization_limits integer[], applications uuid[], application_limits integer[], days date[]
) RETURNS TABLE (key text, stream_version integer)
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event_usage (scope_id, day, used)
  SELECT s.scope_id, s.day, 0
  FROM (SELECT * FROM unnest(organizations, days) UNION SELECT * FROM unnest(applications, days)) AS s (scope_id, day)
  ORDER BY 1, 2
  ON CONFLICT DO NOTHING;

  PERFORM 1
  FROM event_usage AS u
  WHERE (u.scope_id, u.day) IN (SELECT * FROM unnest(organizations, days) UNION SELECT * FROM unnest(applications, days))
  ORDER BY u.scope_id, u.day
  FOR UPDATE;

  RETURN QUERY
  WITH asked AS (
    SELECT * FROM unnest(keys, organizations, organization_limits, applications, application_limits, days)
      WITH ORDINALITY AS a (key, organization_id, organization_limit, application_id, application_limit, day, place)
  ), of_application AS (
    SELECT r.* FROM (
      SELECT a.*, row_number() OVER (PARTITION BY a.application_id, a.day ORDER BY a.place) AS nth FROM asked AS a) AS r
    JOIN event_usage AS u ON u.scope_id = r.application_id AND u.day = r.day
    WHERE u.used + r.nth <= r.application_limit
  ), taken AS (
    SELECT r.* FROM (
      SELECT a.key, a.organization_id, a.organization_limit, a.application_id, a.day,
             row_number() OVER (PARTITION BY a.organization_id, a.day ORDER BY a.place) AS nth FROM of_application AS a) AS r
    JOIN event_usage AS u ON u.scope_id = r.organization_id AND u.day = r.day
    WHERE u.used + r.nth <= r.organization_limit
  ), moved AS (
    UPDATE event_usage AS u SET used = u.used + n.events
    FROM (SELECT s.scope_id, s.day, count(*)::integer AS events
          FROM (SELECT t.organization_id, t.day FROM taken AS t UNION ALL SELECT t.application_id, t.day FROM taken AS t) AS s (scope_id, day)
          GROUP BY s.scope_id, s.day) AS n
    WHERE u.scope_id = n.scope_id AND u.day = n.day
    RETURNING 1
  )
  SELECT t.key, 0 FROM taken AS t WHERE (SELECT count(*) FROM moved) > 0;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON plan, quota, event_usage TO posthorn_app;
