import type { FastifyRequest } from 'fastify';
import type { Action } from '../domain/access/actions.ts';
import type { DomainEventMetadata } from '../domain/metadata.ts';
import { notFound } from '../domain/refusals.ts';
import { partitionOf } from '../eventstore/partition.ts';
import type { LogReader } from '../eventstore/read.ts';
import { findOwner } from '../history/queries.ts';
import type { Past } from '../projections/as-of/past.ts';
import { findApplicationAsOf, findSubscriptionAsOf } from '../projections/configuration/as-of.ts';
import {
  type ApplicationRecord,
  findApplication,
  findSubscription,
  type SubscriptionRecord,
} from '../projections/configuration/queries.ts';
import type { Queryable } from '../projections/page.ts';
import { authorize } from './auth/authorize.ts';
import { actorOf, type Principal } from './auth/principal.ts';
import { invalidField } from './problems.ts';

/** The application that a request is about: the one it names, or the one its token belongs to. */
export const applicationIdOf = (principal: Principal, given: string | undefined): string => {
  if (given !== undefined) return given;
  if (principal.kind === 'application_secret') return principal.applicationId;
  throw invalidField('application_id', 'required', 'is required with this token');
};

/**
 * Loads the application a request is about, and makes sure that whoever asks may do this to it. Of the past, it must have been
 * there then.
 */
export const applicationFor = async (
  pool: Queryable,
  { principal }: FastifyRequest,
  action: Action,
  given: string | undefined,
  past?: Past,
): Promise<ApplicationRecord> => {
  const applicationId = applicationIdOf(principal, given);
  const application = await (past ? findApplicationAsOf(past, applicationId) : findApplication(pool, applicationId));
  if (!application) throw notFound('application', applicationId);
  authorize(principal, action, { organizationId: application.organizationId, applicationId });
  return application;
};

/** The same for a subscription; `given` must be its application, when it is given. */
export const subscriptionFor = async (
  pool: Queryable,
  { principal }: FastifyRequest,
  action: Action,
  subscriptionId: string,
  given: string | undefined,
  past?: Past,
): Promise<SubscriptionRecord> => {
  const found = await (past ? findSubscriptionAsOf(past, subscriptionId) : findSubscription(pool, subscriptionId));
  if (!found || (given !== undefined && given !== found.applicationId)) throw notFound('subscription', subscriptionId);
  const { organizationId, applicationId } = found;
  authorize(principal, action, {
    organizationId,
    applicationId,
    subscriptionId,
    named: { what: 'subscription', id: subscriptionId },
  });
  return found;
};

/** Of an application that may have been deleted, by its stream: whose it is, once it is sure that whoever asks may do this to it. */
export const authorizeApplication = async (
  reader: LogReader,
  partitions: number,
  { principal }: FastifyRequest,
  action: Action,
  applicationId: string,
): Promise<void> => {
  if (principal.kind === 'master') return;
  const owner = await findOwner(reader, `application:${applicationId}`, partitionOf(applicationId, partitions));
  if (!owner) throw notFound('application', applicationId);
  authorize(principal, action, owner);
};

/** Who asks, why and from where, for the domain events that follow. */
export const metadataOf = (request: FastifyRequest, correlationId = String(request.id)): DomainEventMetadata => ({
  actor: actorOf(request.principal),
  causationId: String(request.id),
  correlationId,
  ip: request.ip,
});
