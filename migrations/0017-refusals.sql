-- What was refused to whom, for the owners of the organization it happened in and for whoever runs the instance. Written within the
-- append of AccessRefused. A new table; the log is read once, and nothing existing is locked.
SET LOCAL lock_timeout = '5s';

CREATE TABLE refusal (
  partition_no smallint NOT NULL,
  position bigint NOT NULL,
  -- Null for a person who asked for something of an organization that is not theirs.
  organization_id uuid,
  actor text NOT NULL,
  action text NOT NULL,
  problem text NOT NULL,
  count bigint NOT NULL,
  ips text[] NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (partition_no, position)
);
CREATE INDEX refusal_of_organization ON refusal (organization_id, last_at DESC, partition_no DESC, position DESC);
CREATE INDEX refusal_newest ON refusal (last_at DESC, partition_no DESC, position DESC);

INSERT INTO refusal
SELECT partition_no, position, NULL, data ->> 'actor', data ->> 'action', data ->> 'problem', (data ->> 'count')::bigint, '{}',
  (data ->> 'firstAt')::timestamptz, (data ->> 'lastAt')::timestamptz
FROM domain_event WHERE type = 'AccessRefused';

ALTER TABLE refusal ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON refusal TO posthorn_app USING (true) WITH CHECK (true);
CREATE POLICY tenant ON refusal FOR SELECT TO posthorn_tenant
  USING (organization_id = ANY ((SELECT public.posthorn_organizations())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON refusal TO posthorn_app;
GRANT SELECT ON refusal TO posthorn_tenant;
