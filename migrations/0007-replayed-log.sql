-- Marks a database that holds a log replayed for an audit: nothing may be appended to it and nothing delivered from it. The
-- row is made with the first domain event that is replayed. A new table only; nothing existing is locked.
SET LOCAL lock_timeout = '5s';

-- `up_to` and `until` are what the replay was asked for, so that one which was killed goes on to the same end.
CREATE TABLE replayed_log (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  up_to json NOT NULL,
  until json NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz
);

GRANT SELECT ON replayed_log TO posthorn_app;
