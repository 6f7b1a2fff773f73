import { DomainError, type DomainErrorId } from '../../domain/errors.ts';
import type { RunQuery } from '../../eventstore/types.ts';
import { countApplicationsUpTo, countEventTypes, countSubscriptions } from '../../projections/configuration/lists.ts';
import { lockOrganization } from '../../projections/configuration/queries.ts';
import { queryableWithin } from '../../projections/page.ts';

const refuse = (id: DomainErrorId, whose: string, most: number, what: string): DomainError =>
  new DomainError(id, `${whose} may have ${most} ${what}. Remove one, or ask for a larger plan.`);

/**
 * These run within the append, after its domain events were projected: what they count includes what is being made, and others who
 * make one at the same time wait for a lock, so that together they never go beyond. They throw the DomainError of the quota.
 */
export const requireApplications = async (run: RunQuery, organizationId: string, most: number): Promise<void> => {
  const db = queryableWithin(run);
  // Applications of one organization are in any log partition, so that its row is where they meet.
  await lockOrganization(db, organizationId);
  if ((await countApplicationsUpTo(db, { organizationId }, most + 1)) > most)
    throw refuse('TooManyApplicationsPerOrganization', `Organization ${organizationId}`, most, 'application(s)');
};

/** The head of the application's log partition is locked: nobody makes another meanwhile. */
export const requireSubscriptions = async (run: RunQuery, applicationId: string, most: number): Promise<void> => {
  if ((await countSubscriptions(queryableWithin(run), applicationId, {}, most + 1)) > most)
    throw refuse('TooManySubscriptionsPerApplication', `Application ${applicationId}`, most, 'subscription(s)');
};

/** The same for event types that are active. */
export const requireEventTypes = async (run: RunQuery, applicationId: string, most: number): Promise<void> => {
  if ((await countEventTypes(queryableWithin(run), applicationId, most + 1)) > most)
    throw refuse('TooManyEventTypesPerApplication', `Application ${applicationId}`, most, 'active event type(s)');
};
