import { randomUUID } from 'node:crypto';
import type { MarkedTenant } from '../../support/marked-tenant.ts';

/** The ids that requests name things of a tenant by. */
export type Ids = Readonly<
  Record<
    | 'organizationId'
    | 'applicationId'
    | 'userId'
    | 'invitationId'
    | 'secretId'
    | 'serviceTokenId'
    | 'subscriptionId'
    | 'eventId'
    | 'deliveryId'
    | 'requestAttemptId'
    | 'sessionId',
    string
  >
> & {
  /** A name, which another tenant may have, too. */
  readonly eventType: string;
};

export const idsOf = (tenant: MarkedTenant, sessionId: string): Ids => ({
  organizationId: tenant.organizationId,
  applicationId: tenant.applicationId,
  userId: tenant.owner.userId,
  invitationId: tenant.invitationId,
  secretId: tenant.secretId,
  serviceTokenId: tenant.serviceTokenId,
  subscriptionId: tenant.subscriptionId,
  eventId: tenant.eventId,
  deliveryId: tenant.deliveryId,
  requestAttemptId: tenant.requestAttemptId,
  sessionId,
  eventType: tenant.eventType,
});

/** Ids that name nothing. */
export const unknownIds = ({ eventType }: Ids): Ids => ({
  organizationId: randomUUID(),
  applicationId: randomUUID(),
  userId: randomUUID(),
  invitationId: randomUUID(),
  secretId: randomUUID(),
  serviceTokenId: randomUUID(),
  subscriptionId: randomUUID(),
  eventId: randomUUID(),
  deliveryId: randomUUID(),
  requestAttemptId: randomUUID(),
  sessionId: randomUUID(),
  eventType,
});

/** An answer without the ids that the request named, and without its own. */
export const withoutIds = (text: string, ids: Ids): string =>
  Object.entries(ids)
    .reduce((left, [name, id]) => left.replaceAll(id, `<${name}>`), text)
    .replace(/"request_id":"[^"]*"/g, '"request_id":"…"');

export const namesAny = (text: string, { eventType: _, ...ids }: Ids): boolean =>
  Object.values(ids).some((id) => text.includes(id));
