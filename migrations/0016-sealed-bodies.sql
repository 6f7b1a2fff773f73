-- Payloads and answers are sealed before they are stored, headers of answers along with the body. What is there stays as it is, in
-- clear, until its time is over. Adding a column with a constant default, and dropping NOT NULL, lock the tables for a moment only.
SET LOCAL lock_timeout = '5s';

ALTER TABLE payload ADD COLUMN is_sealed boolean NOT NULL DEFAULT false;
ALTER TABLE response ADD COLUMN is_sealed boolean NOT NULL DEFAULT false, ALTER COLUMN headers DROP NOT NULL;
