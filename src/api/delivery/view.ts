import { z } from 'zod';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import { RequestAttempt } from '../request-attempt/view.ts';

export const DELIVERY_STATUSES = ['pending', 'succeeded', 'dead_lettered', 'cancelled'] as const;

export const Delivery = z.object({
  delivery_id: z.string().describe('Sent as `webhook-id` with every attempt.'),
  application_id: z.string(),
  subscription_id: z.string(),
  event_id: z.string(),
  event_type_name: z.string(),
  status: z.enum(DELIVERY_STATUSES),
  reason: z.string().nullable().describe('Why it is a dead letter, or was cancelled.'),
  attempts: z.int().describe('Scheduled so far, over all replays.'),
  last_request_attempt_id: z.string(),
  due_at: z.string().nullable().describe('When the next attempt is due; null when the delivery is over.'),
  created_at: z.string(),
  updated_at: z.string(),
});

export const DeliveryWithAttempts = Delivery.extend({
  request_attempts: z.array(RequestAttempt).describe('Oldest first.'),
});

export const viewDelivery = (delivery: DeliveryRecord): z.output<typeof Delivery> => ({
  delivery_id: delivery.deliveryId,
  application_id: delivery.applicationId,
  subscription_id: delivery.subscriptionId,
  event_id: delivery.eventId,
  event_type_name: delivery.eventType,
  status: delivery.status,
  reason: delivery.reason,
  attempts: delivery.attempts,
  last_request_attempt_id: delivery.lastAttemptId,
  due_at: delivery.dueAt?.toISOString() ?? null,
  created_at: delivery.createdAt.toISOString(),
  updated_at: delivery.updatedAt.toISOString(),
});
