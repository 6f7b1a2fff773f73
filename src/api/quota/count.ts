import { DomainError, type DomainErrorId } from '../../domain/errors.ts';
import { notFound } from '../../domain/refusals.ts';
import type { RunQuery } from '../../eventstore/types.ts';
import { countApplicationsUpTo, countEventTypes, countSubscriptions } from '../../projections/configuration/lists.ts';
import { findApplication, lockOrganization } from '../../projections/configuration/queries.ts';
import { type Queryable, queryableWithin } from '../../projections/page.ts';

const refuse = (id: DomainErrorId, whose: string, most: number, what: string): DomainError =>
  new DomainError(id, `${whose} may have ${most} ${what}. Remove one, or ask for a larger plan.`);

/**
 * These run within the append, after its domain events were projected: what they count includes what is being made, and others who
 * make one at the same time wait for a lock, so that together they never go beyond. So does a deletion of what it is made in. They
 * throw the DomainError of the quota, or NotFound when it was deleted.
 */
export const requireApplications = async (run: RunQuery, organizationId: string, most: number): Promise<void> => {
  const db = queryableWithin(run);
  // Applications of one organization are in any log partition, so that its row is where they meet.
  if (!(await lockOrganization(db, organizationId))) throw notFound('organization', organizationId);
  if ((await countApplicationsUpTo(db, { organizationId }, most + 1)) > most)
    throw refuse('TooManyApplicationsPerOrganization', `Organization ${organizationId}`, most, 'application(s)');
};

/** The head of the application's log partition is locked: nobody makes another, or deletes the application, meanwhile. */
export const requireSubscriptions = async (run: RunQuery, applicationId: string, most: number): Promise<void> => {
  const db = queryableWithin(run);
  await requireApplication(db, applicationId);
  if ((await countSubscriptions(db, applicationId, {}, most + 1)) > most)
    throw refuse('TooManySubscriptionsPerApplication', `Application ${applicationId}`, most, 'subscription(s)');
};

/** The same for event types that are active. */
export const requireEventTypes = async (run: RunQuery, applicationId: string, most: number): Promise<void> => {
  const db = queryableWithin(run);
  await requireApplication(db, applicationId);
  if ((await countEventTypes(db, applicationId, most + 1)) > most)
    throw refuse('TooManyEventTypesPerApplication', `Application ${applicationId}`, most, 'active event type(s)');
};

/** What is made in an application is refused once that was deleted. */
export const requireApplication = async (db: Queryable, applicationId: string): Promise<void> => {
  if (!(await findApplication(db, applicationId))) throw notFound('application', applicationId);
};
