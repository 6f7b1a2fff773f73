-- What was erased: an organization's keys and payloads are destroyed on request, before their time. Adding a column without a
-- default locks the table for a moment.
SET LOCAL lock_timeout = '5s';

ALTER TABLE organization ADD COLUMN erased_at timestamptz;
