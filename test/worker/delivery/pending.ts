import { randomUUID } from 'node:crypto';
import type { PendingDelivery } from '#src/worklist/pending-delivery.ts';

/** A row of the work list; every field has a default, and what is given replaces it. */
export const pendingDelivery = (given: Partial<PendingDelivery> = {}): PendingDelivery => ({
  partition: 0,
  deliveryId: randomUUID(),
  subscriptionId: randomUUID(),
  applicationId: randomUUID(),
  organizationId: randomUUID(),
  eventId: randomUUID(),
  eventType: 'order.paid',
  contentType: 'application/json',
  attemptId: randomUUID(),
  attemptNumber: 1,
  retryCount: 0,
  streamVersion: 1,
  receivedAt: '2026-03-01T10:00:00.000Z',
  dueAt: '2026-03-01T10:00:00.000Z',
  configurationPosition: 0,
  ...given,
});
