import type { FastifyRequest } from 'fastify';
import { deliveryId } from '../../domain/event/ids.ts';
import { payloadBytes } from '../../domain/event/payload.ts';
import { TEST_METADATA } from '../../domain/event/test-event.ts';
import type { SubscriptionRecord } from '../../projections/configuration/queries.ts';
import { authorize } from '../auth/authorize.ts';
import { actorOf } from '../auth/principal.ts';
import type { ApiDeps } from '../deps.ts';
import { invalidField } from '../problems.ts';

export type TestEvent = { readonly eventType?: string | undefined; readonly payload?: string | undefined };

const JSON_TYPE = 'application/json';
const sampleFor = (eventType: string): string =>
  JSON.stringify({ test: true, event_type: eventType, message: 'A test event, sent by Posthorn.' });

/**
 * Ingests an event that one subscription alone is owed, whether it would match or not; it carries the subscription's labels,
 * and its metadata tells that it is a test. Answers the delivery's id.
 */
export const createSendTestEvent =
  ({ ingest, config, onIngested }: ApiDeps) =>
  async (request: FastifyRequest, subscription: SubscriptionRecord, given: TestEvent): Promise<string> => {
    const { subscriptionId, applicationId, settings } = subscription;
    const eventType = given.eventType ?? settings.eventTypes.find((name) => !name.includes('*'));
    if (eventType === undefined)
      throw invalidField('event_type', 'required', 'is required, since the subscription names patterns only');
    const body = payloadBytes(JSON_TYPE, given.payload ?? sampleFor(eventType));
    if (body.length > config.payloadBytesMax)
      throw invalidField('payload', 'too-big', `must have at most ${config.payloadBytesMax} bytes`);
    const { principal } = request;
    const { eventId, receivedAt } = await ingest({
      applicationId,
      eventId: undefined,
      eventType,
      contentType: JSON_TYPE,
      body,
      labels: settings.labels,
      metadata: { [TEST_METADATA]: subscriptionId },
      occurredAt: null,
      actor: actorOf(principal),
      authorize: (organizationId) =>
        authorize(principal, 'event:ingest', {
          organizationId,
          applicationId,
          subscriptionId,
          eventTypes: [eventType],
          labels: settings.labels,
        }),
      applicationSecretId: principal.kind === 'application_secret' ? principal.secretId : undefined,
      requestId: String(request.id),
      ip: request.ip,
      onlySubscriptionId: subscriptionId,
    });
    onIngested('accepted');
    return deliveryId({ applicationId, eventId, subscriptionId, receivedAt });
  };
