import { describe, expect, it } from 'vitest';
import { afterFailure, deliveryDecider } from '#src/domain/delivery/decider.ts';
import type {
  CancelReason,
  DeadLetterReason,
  DeliveryCommand,
  DeliveryEvent,
  FailureReason,
} from '#src/domain/delivery/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(deliveryDecider);
const t0 = '2026-03-01T10:00:00.000Z';
const plus = (ms: number) => new Date(Date.parse(t0) + ms).toISOString();
const at = (ms: number) => ({ now: new Date(plus(ms)) });
const ids = {
  deliveryId: 'delivery',
  applicationId: 'application',
  organizationId: 'organization',
  eventId: 'event',
  subscriptionId: 'subscription',
};
const eventType = 'user.account.created';
const result = {
  startedAt: plus(10),
  finishedAt: plus(100),
  httpStatus: 500,
  response: { bodySha256: 'ab'.repeat(32), bodyBytes: 3, truncated: false },
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 80.5, bodyMs: 1, totalMs: 90 },
};
const plan = { delaysMs: [30_000, 60_000, 120_000, 240_000] };
const attempt = (n: number) => ({ ...ids, attemptId: `attempt-${n}`, attemptNumber: n });

const schedule = (overrides: object = {}): DeliveryCommand => ({
  type: 'ScheduleDelivery',
  data: { ...ids, eventType, attemptId: 'attempt-1', trigger: 'ingest', ...overrides },
  metadata: at(0),
});
const succeed = (n: number): DeliveryCommand => ({
  type: 'RecordSuccess',
  data: { ...attempt(n), ...result, httpStatus: 204 },
  metadata: at(150),
});
const fail = (n: number, reason: FailureReason = 'status', overrides: object = {}) =>
  ({
    type: 'RecordFailure',
    data: {
      ...attempt(n),
      ...result,
      reason,
      message: 'Internal Server Error',
      plan,
      retryAfterMs: null,
      nextAttemptId: `attempt-${n + 1}`,
      random: 0,
      ...overrides,
    },
    metadata: at(150),
  }) as const satisfies DeliveryCommand;
const retryNow = (ms: number): DeliveryCommand => ({
  type: 'RetryNow',
  data: { deliveryId: 'delivery' },
  metadata: at(ms),
});
const replay = (n: number, ms: number, overrides: object = {}): DeliveryCommand => ({
  type: 'ReplayDelivery',
  data: { ...ids, eventType, attemptId: `attempt-${n}`, ...overrides },
  metadata: at(ms),
});
const cancel = (reason: CancelReason): DeliveryCommand => ({
  type: 'CancelDelivery',
  data: { deliveryId: 'delivery', reason },
  metadata: at(200),
});

const scheduled = (n: number, retryCount: number, ms: number, dueMs: number, trigger: 'ingest' | 'retry' | 'replay') =>
  ({
    type: 'AttemptScheduled',
    data: { ...attempt(n), eventType, retryCount, scheduledAt: plus(ms), dueAt: plus(dueMs), trigger },
  }) satisfies DeliveryEvent;
const first = scheduled(1, 0, 0, 0, 'ingest');
const failed = (n: number, reason: FailureReason = 'status'): DeliveryEvent => ({
  type: 'AttemptFailed',
  data: { ...attempt(n), ...result, reason, message: 'Internal Server Error' },
});
const second = scheduled(2, 1, 100, 30_100, 'retry');
const succeeded = (n: number): DeliveryEvent => ({
  type: 'AttemptSucceeded',
  data: { ...attempt(n), ...result, httpStatus: 204 },
});
const deadLettered = (reason: DeadLetterReason, attempts: number): DeliveryEvent => ({
  type: 'DeliveryDeadLettered',
  data: { ...ids, reason, attempts, deadLetteredAt: plus(150) },
});
const cancelled: DeliveryEvent = {
  type: 'DeliveryCancelled',
  data: { ...ids, reason: 'request', cancelledAt: plus(200) },
};
const rescheduled = (n: number, ms: number): DeliveryEvent => ({
  type: 'AttemptRescheduled',
  data: { ...attempt(n), dueAt: plus(ms), rescheduledAt: plus(ms) },
});
const overs = [
  ['succeeded', [first, succeeded(1)]],
  ['dead-lettered', [first, failed(1), deadLettered('gone', 1)]],
  ['cancelled', [first, cancelled]],
] as const;

describe('scheduling a delivery', () => {
  it('makes the first attempt due at once', () => given().when(schedule()).then(first));
  it('tells a replay', () =>
    given()
      .when(schedule({ trigger: 'replay' }))
      .then(scheduled(1, 0, 0, 0, 'replay')));
  it('stays quiet when repeated', () => given(first).when(schedule()).then());
  it.each(overs)('stays quiet when %s', (_, history) =>
    given(...history)
      .when(schedule())
      .then(),
  );
  it('is refused for another event under the same id', () =>
    given(first)
      .when(schedule({ eventId: 'other' }))
      .thenThrows('NotFound'));
});

describe('recording a success', () => {
  it('ends the delivery', () => given(first).when(succeed(1)).then(succeeded(1)));
  it('ends it at a retry', () => given(first, failed(1), second).when(succeed(2)).then(succeeded(2)));
  it('is refused for an earlier attempt', () =>
    given(first, failed(1), second).when(succeed(1)).thenThrows('DeliveryIsOver'));
  it('is refused for a later attempt', () => given(first).when(succeed(2)).thenThrows('DeliveryIsOver'));
  it.each(overs)('is refused when %s', (_, history) =>
    given(...history)
      .when(succeed(1))
      .thenThrows('DeliveryIsOver'),
  );
  it('is refused when unknown', () => given().when(succeed(1)).thenThrows('NotFound'));
});

describe('recording a failure', () => {
  it('schedules the retry with it', () => given(first).when(fail(1)).then(failed(1), second));
  it.each([
    'redirect',
    'timeout',
    'dns',
    'connect',
    'tls',
    'connection_reset',
    'invalid_response',
    'invalid_target',
    'blocked_target',
  ] as const)('schedules a retry after %s too', (reason) =>
    given(first).when(fail(1, reason)).then(failed(1, reason), second),
  );
  it('takes the next delay of the plan', () =>
    given(first, failed(1), second)
      .when(fail(2))
      .then(failed(2), scheduled(3, 2, 100, 60_100, 'retry')));
  it('adds jitter, of 10 % or of 2 s', () =>
    given(first)
      .when(fail(1, 'status', { random: 0.5 }))
      .then(failed(1), scheduled(2, 1, 100, 31_600, 'retry')));
  it('waits as long as the receiver asks', () =>
    given(first)
      .when(fail(1, 'status', { retryAfterMs: 90_000 }))
      .then(failed(1), scheduled(2, 1, 100, 90_100, 'retry')));
  it('does not come earlier because the receiver asks', () =>
    given(first)
      .when(fail(1, 'status', { retryAfterMs: 1_000 }))
      .then(failed(1), second));
  it('dead-letters when the plan is used up', () =>
    given(scheduled(5, 4, 0, 0, 'retry'))
      .when(fail(5))
      .then(failed(5), deadLettered('retries_exhausted', 5)));
  it.each(['gone', 'payload_missing'] as const)('dead-letters at once when %s', (reason) =>
    given(first).when(fail(1, reason)).then(failed(1, reason), deadLettered(reason, 1)),
  );
  it('dead-letters a blocked target at the third try', () => {
    given(scheduled(2, 1, 0, 0, 'retry'))
      .when(fail(2, 'blocked_target'))
      .then(failed(2, 'blocked_target'), scheduled(3, 2, 100, 60_100, 'retry'));
    given(scheduled(3, 2, 0, 0, 'retry'))
      .when(fail(3, 'blocked_target'))
      .then(failed(3, 'blocked_target'), deadLettered('blocked_target', 3));
  });
  it('is refused for an earlier attempt', () =>
    given(first, failed(1), second).when(fail(1)).thenThrows('DeliveryIsOver'));
  it.each(overs)('is refused when %s', (_, history) =>
    given(...history)
      .when(fail(1))
      .thenThrows('DeliveryIsOver'),
  );
  it('is refused when unknown', () => given().when(fail(1)).thenThrows('NotFound'));
  it('can be decided without folding, from the attempt in hand', () =>
    expect(afterFailure(first.data, fail(1).data, at(150).now)).toStrictEqual([failed(1), second]));
});

describe('retrying now', () => {
  it('makes a waiting attempt due', () =>
    given(first, failed(1), second).when(retryNow(500)).then(rescheduled(2, 500)));
  it('stays quiet when it is due', () => given(first).when(retryNow(500)).then());
  it('stays quiet when repeated', () =>
    given(first, failed(1), second, rescheduled(2, 500)).when(retryNow(500)).then());
  it('leaves the attempt the one to record', () =>
    given(first, failed(1), second, rescheduled(2, 500)).when(succeed(2)).then(succeeded(2)));
  it.each(overs)('is refused when %s', (_, history) =>
    given(...history)
      .when(retryNow(500))
      .thenThrows('DeliveryIsOver'),
  );
  it('is refused when unknown', () => given().when(retryNow(0)).thenThrows('NotFound'));
});

describe('replaying a delivery', () => {
  it.each(overs)('starts again when %s', (_, history) =>
    given(...history)
      .when(replay(2, 500))
      .then(scheduled(2, 0, 500, 500, 'replay')),
  );
  it('goes on counting attempts, and counts failures anew', () =>
    given(scheduled(5, 4, 0, 0, 'retry'), failed(5), deadLettered('retries_exhausted', 5))
      .when(replay(6, 500))
      .then(scheduled(6, 0, 500, 500, 'replay')));
  it('makes a waiting attempt due', () =>
    given(first, failed(1), second).when(replay(9, 500)).then(rescheduled(2, 500)));
  it('stays quiet when an attempt is due', () => given(first).when(replay(9, 500)).then());
  it('is refused for another subscription', () =>
    given(first, cancelled)
      .when(replay(2, 500, { subscriptionId: 'other' }))
      .thenThrows('NotFound'));
  it('schedules the first attempt of one never scheduled', () =>
    given()
      .when(replay(1, 500))
      .then(scheduled(1, 0, 500, 500, 'replay')));
});

describe('cancelling a delivery', () => {
  it('ends it', () => given(first).when(cancel('request')).then(cancelled));
  it.each(overs)('stays quiet when %s', (_, history) =>
    given(...history)
      .when(cancel('request'))
      .then(),
  );
  it('is refused when unknown', () => given().when(cancel('request')).thenThrows('NotFound'));
});
