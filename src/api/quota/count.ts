import { DomainError } from '../../domain/errors.ts';
import type { RunQuery } from '../../eventstore/types.ts';

const countOf = async (run: RunQuery, sql: string, id: string): Promise<number> => {
  const { rows } = await run(sql, [id]);
  return Number(rows[0]?.count ?? 0);
};

/**
 * These run within the append, after its domain events were projected: what they count includes what is being made, and others who
 * make one at the same time wait for a lock, so that together they never go beyond. They throw the DomainError of the quota.
 */
export const requireApplications = async (run: RunQuery, organizationId: string, most: number): Promise<void> => {
  // Applications of one organization are in any log partition, so that this row is where they meet.
  await run('SELECT FROM organization WHERE organization_id = $1 FOR UPDATE', [organizationId]);
  const count = await countOf(
    run,
    'SELECT count(*) AS count FROM application WHERE organization_id = $1 AND deleted_at IS NULL',
    organizationId,
  );
  if (count > most)
    throw new DomainError(
      'TooManyApplicationsPerOrganization',
      `Organization ${organizationId} may have ${most} application(s). Delete one, or ask for a larger plan.`,
    );
};

/** The head of the application's log partition is locked: nobody makes another meanwhile. */
export const requireSubscriptions = async (run: RunQuery, applicationId: string, most: number): Promise<void> => {
  const count = await countOf(
    run,
    'SELECT count(*) AS count FROM subscription WHERE application_id = $1 AND deleted_at IS NULL',
    applicationId,
  );
  if (count > most)
    throw new DomainError(
      'TooManySubscriptionsPerApplication',
      `Application ${applicationId} may have ${most} subscription(s). Delete one, or ask for a larger plan.`,
    );
};

/** The same for event types that are active. */
export const requireEventTypes = async (run: RunQuery, applicationId: string, most: number): Promise<void> => {
  const count = await countOf(
    run,
    'SELECT count(*) AS count FROM event_type WHERE application_id = $1 AND is_active',
    applicationId,
  );
  if (count > most)
    throw new DomainError(
      'TooManyEventTypesPerApplication',
      `Application ${applicationId} may have ${most} active event type(s). Deactivate one, or ask for a larger plan.`,
    );
};
