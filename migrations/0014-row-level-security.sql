-- The second wall between tenants: what a request of a tenant reads, it reads as a role to which the database shows the rows of its
-- organizations alone, should a check of the API be missing. Row-level security is switched on, for which each table is locked for a
-- moment; the heads of the log come first, as for every append, so that none of them is under way meanwhile.
SET LOCAL lock_timeout = '5s';
LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'posthorn_tenant') THEN
    CREATE ROLE posthorn_tenant NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- Roles belong to the whole server: another database's migration was quicker.
END
$$;

-- Whoever may act as posthorn_app may step down to posthorn_tenant. Where the server can tell that from having its rights (from
-- PostgreSQL 16 on), posthorn_app gets none of them.
DO $$
BEGIN
  EXECUTE format('GRANT posthorn_tenant TO %I', current_user);
  IF NOT pg_has_role('posthorn_app', 'posthorn_tenant', 'MEMBER') THEN
    EXECUTE 'GRANT posthorn_tenant TO posthorn_app'
      || CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT FALSE' ELSE '' END;
  END IF;
END
$$;

-- Whose rows a connection may see; nobody's as long as nothing is set. Policies call functions instead of naming tables, so that a
-- table can be replaced by one that was built anew.
CREATE FUNCTION posthorn_organizations() RETURNS uuid[]
LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('posthorn.organizations', true), '')::uuid[] $$;

CREATE FUNCTION posthorn_applications() RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
  SELECT application_id FROM public.application WHERE organization_id = ANY ((SELECT public.posthorn_organizations())::uuid[])
$$;

CREATE FUNCTION posthorn_members() RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
  SELECT user_id FROM public.membership WHERE organization_id = ANY ((SELECT public.posthorn_organizations())::uuid[])
$$;

CREATE FUNCTION posthorn_service_tokens() RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
  SELECT token_id FROM public.service_token WHERE organization_id = ANY ((SELECT public.posthorn_organizations())::uuid[])
$$;

-- In subqueries of their own: each is answered once for a statement, and not once for a row.
DO $$
DECLARE
  of_organization CONSTANT text := 'organization_id = ANY ((SELECT public.posthorn_organizations())::uuid[])';
  of_application CONSTANT text := 'application_id IN (SELECT public.posthorn_applications())';
  walled record;
BEGIN
  FOR walled IN
    SELECT unnest(ARRAY[
      'organization', 'application', 'application_secret', 'event_type', 'event_type_schema', 'subscription', 'audit_entry',
      'event', 'delivery', 'request_attempt', 'dead_letter', 'membership', 'invitation', 'invitation_address', 'service_token',
      'quota']) AS name, of_organization AS condition
    UNION ALL
    SELECT unnest(ARRAY['traffic_minute', 'delivery_tally', 'payload', 'response']), of_application
    UNION ALL
    VALUES
      ('service_token_use', 'token_id IN (SELECT public.posthorn_service_tokens())'),
      ('user_account', 'user_id IN (SELECT public.posthorn_members())'),
      ('event_usage', 'scope_id = ANY ((SELECT public.posthorn_organizations())::uuid[])
                       OR scope_id IN (SELECT public.posthorn_applications())')
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', walled.name);
    EXECUTE format('CREATE POLICY app ON %I TO posthorn_app USING (true) WITH CHECK (true)', walled.name);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO posthorn_tenant USING (%s)', walled.name, walled.condition);
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO posthorn_tenant;
-- Reading alone: whatever a request changes is appended to the log, or written beside it, as posthorn_app.
GRANT SELECT ON organization, application, application_secret, event_type, event_type_schema, subscription, audit_entry, event,
  delivery, request_attempt, dead_letter, delivery_tally, traffic_minute, payload, response, membership, invitation,
  invitation_address, service_token, service_token_use, quota, event_usage TO posthorn_tenant;
-- What members see of each other. Hashes of passwords are none of it.
GRANT SELECT (user_id, email, first_name, last_name) ON user_account TO posthorn_tenant;
-- Of nobody: what plans allow, and how far read models have come.
GRANT SELECT ON plan TO posthorn_tenant;
GRANT SELECT (partition_no, position) ON log_head TO posthorn_tenant;
GRANT SELECT (processor, partition_no, position) ON processor_checkpoint TO posthorn_tenant;
