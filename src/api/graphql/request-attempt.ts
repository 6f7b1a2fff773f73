import { attemptStatus } from '../../domain/delivery/status.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import { attemptFactsOf, type RequestAttemptRecord } from '../../projections/request-attempt/queries.ts';
import { dayOf } from '../../worklist/payload.ts';
import { unchanged } from '../http/stored-body.ts';
import { itsSubscription } from './application.ts';
import { allow, type Context, instantOf, type Seen } from './context.ts';
import { itsDelivery } from './delivery.ts';
import { eventSeen } from './event.ts';
import type { SettingsHistory } from './loaders.ts';
import type { Fields } from './schema.ts';

type RequestAttempt = Seen<RequestAttemptRecord>;

/** As they were when the request began, or as they are now when it has not; the first ones for what came before. */
const settingsAt = (history: SettingsHistory, at: Date | null) => {
  const before = at === null ? history : history.filter(({ sinceMs }) => sinceMs <= at.getTime());
  return (before.at(-1) ?? history[0])?.settings;
};

/** The request of an attempt. Headers that sign are left out, and those of the subscription are named only. */
const requestOf = (attempt: RequestAttemptRecord, event: EventRecord, history: SettingsHistory) => {
  const target = settingsAt(history, attempt.startedAt)?.target;
  if (!target) return null;
  const { method, url, headerNames } = target;
  return {
    method,
    url,
    headers: {
      'Content-Type': event.payloadContentType,
      'X-Event-Id': event.eventId,
      'X-Event-Type': event.eventType,
      'webhook-id': attempt.deliveryId,
      'X-Posthorn-Attempt': String(attempt.attemptNumber),
      ...Object.fromEntries(headerNames.map((name) => [name, null])),
    },
  };
};

export const requestAttemptFields: Fields = {
  RequestAttempt: {
    id: ({ requestAttemptId }: RequestAttempt) => requestAttemptId,
    status: (attempt: RequestAttempt, _args: unknown, { at }: Context) =>
      attemptStatus(attemptFactsOf(attempt), instantOf(attempt, at)).status.toUpperCase(),
    response: (attempt: RequestAttempt, _args: unknown, context: Context) => {
      if (!attempt.response) return null;
      allow(context, 'response:get', { applicationId: attempt.applicationId });
      return attempt;
    },
    request: async (attempt: RequestAttempt, _args: unknown, context: Context) => {
      const { applicationId, subscriptionId } = attempt;
      allow(context, 'subscription:get', { applicationId, subscriptionId });
      const event = await eventSeen(attempt);
      if (!(await attempt.moment.loaders.isPayloadKept(event))) return null;
      return requestOf(attempt, event, (await attempt.moment.loaders.settings(attempt)) ?? []);
    },
    subscription: itsSubscription,
    delivery: itsDelivery,
  },
  Response: {
    headers: async (attempt: RequestAttempt) => (await kept(attempt))?.headers ?? {},
    body: async (attempt: RequestAttempt) => (await kept(attempt))?.body.toString('utf8') ?? null,
    bodyBytes: ({ response }: RequestAttempt) => response?.bodyBytes ?? 0,
    isTruncated: ({ response }: RequestAttempt) => response?.truncated ?? false,
  },
};

const kept = async ({
  requestAttemptId: attemptId,
  organizationId,
  applicationId,
  partition,
  finishedAt,
  createdAt,
  moment,
}: RequestAttempt) =>
  unchanged(
    await moment.loaders.response({
      attemptId,
      organizationId,
      applicationId,
      partition,
      day: dayOf((finishedAt ?? createdAt).toISOString()),
    }),
  );
