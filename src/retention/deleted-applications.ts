import type { Cleaner } from './cleaner.ts';

/** For so long what belongs to a deleted application is kept: that a deletion was a mistake is found out within a month. */
export const DELETED_KEPT_DAYS = 30;
const APPLICATIONS_AT_ONCE = 20;

/** Applications that are over and have sealed values left: the current ones are the last to be missed, so they tell. */
const OVER = (limit: string) => `
  SELECT a.application_id, a.partition_no FROM application AS a
  WHERE a.deleted_at < $1::timestamptz - interval '${DELETED_KEPT_DAYS} days' AND (
    EXISTS (SELECT FROM application_secret AS s JOIN sealed_value AS v ON v.sealed_id = s.secret_id
            WHERE s.application_id = a.application_id)
    OR EXISTS (SELECT FROM subscription AS s JOIN sealed_value AS v ON v.sealed_id = s.secret_id
               WHERE s.application_id = a.application_id))
  ORDER BY a.application_id ${limit}`;
/** Old secrets and headers of subscriptions are named by their streams alone. */
const SEALED = (limit: string) => `
  WITH over AS (${OVER(limit)}), told AS (
    SELECT e.type, e.data FROM over
    JOIN subscription AS s ON s.application_id = over.application_id
    JOIN domain_event AS e ON e.partition_no = over.partition_no AND e.stream_id = 'subscription:' || s.subscription_id
    WHERE e.type IN ('SubscriptionCreated', 'SubscriptionReplaced', 'SubscriptionSecretRotated')
  )
  SELECT s.secret_id AS sealed_id FROM over JOIN application_secret AS s ON s.application_id = over.application_id
  UNION
  SELECT (data ->> 'secretId')::uuid FROM told WHERE type <> 'SubscriptionReplaced'
  UNION
  SELECT (data -> 'settings' -> 'target' ->> 'sealedHeadersId')::uuid FROM told WHERE type <> 'SubscriptionSecretRotated'`;
const COUNT = `SELECT count(*)::int AS count FROM sealed_value WHERE sealed_id IN (${SEALED('')})`;
const DELETE = `
  WITH gone AS (DELETE FROM sealed_value WHERE sealed_id IN (${SEALED(`LIMIT ${APPLICATIONS_AT_ONCE}`)}) RETURNING 1)
  SELECT count(*)::int AS count FROM gone`;

/** Secrets and header values of applications that were deleted 30 days ago. */
export const deletedApplicationSecrets: Cleaner = {
  name: 'secrets of deleted applications',
  plan: async (db, now) => ({ sealed_value: (await db.query<{ count: number }>(COUNT, [now])).rows[0]?.count ?? 0 }),
  apply: async (db, now) => ({ sealed_value: (await db.query<{ count: number }>(DELETE, [now])).rows[0]?.count ?? 0 }),
};
