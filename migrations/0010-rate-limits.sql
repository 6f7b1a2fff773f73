-- Rate limits that all API processes share: when each bucket is full again. Unlogged, because what it loses in a crash is a second's
-- worth of counting; rows are deleted once their bucket is full, since that is what a missing row says, too. A new table only;
-- nothing existing is locked.
SET LOCAL lock_timeout = '5s';

-- `granted` is the answer to the statement that wrote last. Every row changes often: half-filled pages keep updates heap-only.
CREATE UNLOGGED TABLE rate_limit (
  full_at timestamptz NOT NULL,
  granted integer NOT NULL,
  key text PRIMARY KEY
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limit TO posthorn_app;
