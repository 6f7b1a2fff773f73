import { z } from 'zod';
import { parseRetrySchedule } from '../../domain/delivery/retry-schedule.ts';
import { DomainError } from '../../domain/errors.ts';
import type { HttpMethod } from '../../domain/subscription/events.ts';
import { parseEventTypePattern } from '../../domain/subscription/routing.ts';
import { parseTarget, type TargetRules, URL_LENGTH_MAX } from '../../domain/target/target.ts';
import { entries, text, uuid } from '../http/strings.ts';
import { findHeaderFault } from './headers.ts';

export const METHODS = ['GET', 'PATCH', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'] as const satisfies HttpMethod[];
const EVENT_TYPES_MAX = 100;
const CONCURRENCY_MAX = 1_024;

/** A finding under a code that clients of Hook0 know. */
const hook0Issue = (code: string, message: string, params: Record<string, unknown> = {}) =>
  ({ code: 'custom', message, params: { code, ...params } }) as const;

const EventTypes = z
  .array(z.string())
  .superRefine((names, context) => {
    if (names.length < 1 || names.length > EVENT_TYPES_MAX)
      context.addIssue(
        hook0Issue('event-types-size', `must name 1 to ${EVENT_TYPES_MAX} event types`, {
          min: 1,
          max: EVENT_TYPES_MAX,
        }),
      );
    names.slice(0, EVENT_TYPES_MAX).forEach((name, index) => {
      if (parseEventTypePattern(name) === null)
        context.addIssue({
          ...hook0Issue('event-types-name-length', 'must be the name of an event type, or a pattern of one', {
            min: 1,
            max: 200,
          }),
          path: [index],
        });
    });
  })
  .describe('Names of event types, or patterns: `*` stands for one part, a closing `**` for all that remain.');

/** `Value` is what a header may have: text, and on a replacement null, which keeps the value that is there. */
const HttpTarget = <Value extends z.ZodType<string | null>>(
  rules: TargetRules,
  signatureHeader: string,
  value: Value,
  keeping: string,
) =>
  z.object({
    type: z.literal('http'),
    method: z
      .string()
      .superRefine((method, context) => {
        if (!METHODS.includes(method as HttpMethod))
          context.addIssue(hook0Issue('subscription-target-http-method', `must be one of ${METHODS.join(', ')}`));
      })
      .transform((method) => method as HttpMethod)
      .describe(`One of ${METHODS.join(', ')}.`),
    url: z
      .string()
      .transform((url, context) => {
        const target = parseTarget(url, rules);
        if (target.kind === 'target') return target.href;
        const isTooLong = url.length > URL_LENGTH_MAX;
        context.addIssue(
          isTooLong
            ? hook0Issue('subscription-target-http-url-length', target.message, { min: 1, max: URL_LENGTH_MAX })
            : hook0Issue(target.code, target.message),
        );
        return z.NEVER;
      })
      .describe('Absolute. What it resolves to is vetted again before each request.'),
    headers: z
      .record(z.string(), value)
      .superRefine((headers, context) => {
        const fault = findHeaderFault(headers, signatureHeader);
        if (fault) context.addIssue(hook0Issue(fault.code, fault.message, fault.params));
      })
      .default({})
      .describe(`Sent with each request and covered by the signature. Kept encrypted.${keeping}`),
  });

const RetrySchedule = text(1, 1_000).superRefine((schedule, context) => {
  try {
    parseRetrySchedule(schedule);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    context.addIssue(hook0Issue('retry-schedule', error.message));
  }
});

const bodyWith = <Target extends z.ZodType>(target: Target) =>
  z.object({
    application_id: uuid().optional().describe('May be left out with the secret of an application.'),
    is_enabled: z.boolean(),
    event_types: EventTypes,
    description: text(1, 100).nullish(),
    metadata: entries('metadata', 0).nullish(),
    labels: entries('labels', 0)
      .nullish()
      .describe('An event must carry all of these with equal values; `{}` selects every event.'),
    label_key: text(1, 50).nullish().describe('With `label_value` the older form of `labels`.'),
    label_value: text(1, 50).nullish(),
    target,
    dedicated_workers: z.array(text(1, 100)).max(20).nullish(),
    retry_schedule: RetrySchedule.nullish().describe(
      'Delays before retries: `exponential(first, factor, longest, retries)` or a list such as `3s,10s,30m,10h×17`.',
    ),
    concurrency_max: z.int().min(1).max(CONCURRENCY_MAX).nullish().describe('Requests in flight at once, at most.'),
    sign_ed25519: z.boolean().nullish().describe('Adds a `v1a` signature that verifies with the public key.'),
  });

/** What creates a subscription. */
export const subscriptionBody = (rules: TargetRules, signatureHeader: string) =>
  bodyWith(HttpTarget(rules, signatureHeader, z.string(), ''));
/** What replaces one: a header may keep the value that it has. */
export const replacementBody = (rules: TargetRules, signatureHeader: string) =>
  bodyWith(HttpTarget(rules, signatureHeader, z.string().nullable(), ' With null a header keeps the value it has.'));
export type SubscriptionBody = z.output<ReturnType<typeof replacementBody>>;

/** The labels in whichever of the two forms they are given; both may be, when they say the same. */
export const labelsOf = ({ labels, label_key: key, label_value: value }: SubscriptionBody): Record<string, string> => {
  const hasKey = key !== undefined && key !== null;
  const hasValue = value !== undefined && value !== null;
  if (hasKey !== hasValue) throw ambiguous('label_key and label_value belong together');
  if (!labels) {
    if (hasKey && hasValue) return { [key]: value };
    throw ambiguous('neither labels nor label_key with label_value is given');
  }
  if (hasKey && labels[key] !== value) throw ambiguous('labels and label_key with label_value differ');
  return labels;
};

const ambiguous = (what: string): DomainError =>
  new DomainError(
    'LabelsAmbiguity',
    `Of the subscription's labels ${what}. Send \`labels\`; \`{}\` selects every event.`,
  );
