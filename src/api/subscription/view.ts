import { z } from 'zod';
import { whsecOf } from '../../domain/signature/keys.ts';
import type { SubscriptionRecord } from '../../projections/configuration/queries.ts';
import type { Vault } from '../../vault/vault.ts';
import { METHODS } from './body.ts';

const Entries = z.record(z.string(), z.string());

export const Subscription = z.object({
  application_id: z.string(),
  subscription_id: z.string(),
  is_enabled: z.boolean(),
  disabled_reason: z.enum(['request', 'gone']).nullable().describe('`gone`: the receiver answered 410.'),
  event_types: z.array(z.string()),
  description: z.string().nullable(),
  secret: z
    .string()
    .nullable()
    .describe('For receivers that verify Hook0 signatures. Empty when it was destroyed, null for who may not see it.'),
  signing_secret: z.string().nullable().describe('The same secret for receivers that verify Standard Webhooks.'),
  previous_secret_valid_until: z
    .string()
    .nullable()
    .describe('Until then the secret before this one signs beside it, in the Standard Webhooks signature.'),
  metadata: Entries,
  labels: Entries,
  label_key: z.string().nullable().describe('The first of the labels.'),
  label_value: z.string().nullable(),
  target: z.object({
    type: z.literal('http'),
    method: z.enum(METHODS),
    url: z.string(),
    headers: z
      .record(z.string(), z.string().nullable())
      .describe('Values are null for who may not see them; sent back as null, they stay as they are.'),
  }),
  created_at: z.string(),
  updated_at: z.string(),
  dedicated_workers: z.array(z.string()),
  retry_schedule: z.string().nullable(),
  concurrency_max: z.int().nullable(),
  sign_ed25519: z.boolean(),
  public_key: z.string().nullable().describe('Verifies the `v1a` signature, when there is one.'),
});
export type Subscription = z.output<typeof Subscription>;

const sealedIdsOf = ({ secretId, settings }: SubscriptionRecord): string[] =>
  settings.target.sealedHeadersId === null ? [secretId] : [secretId, settings.target.sealedHeadersId];

/** Header values of a subscription as they were given; what was destroyed is shown empty. */
export const openHeaders = (
  { target }: SubscriptionRecord['settings'],
  opened: ReadonlyMap<string, string>,
): Record<string, string> => {
  const sealed = target.sealedHeadersId === null ? undefined : opened.get(target.sealedHeadersId);
  if (sealed !== undefined) return JSON.parse(sealed) as Record<string, string>;
  return Object.fromEntries(target.headerNames.map((name) => [name, '']));
};

/** Opens nothing: what was a secret once may still be one somewhere. */
export const SEALED: Pick<Vault, 'open'> = { open: async () => new Map() };

/** Without secrets: for those who may not see them, or have to give their password again. */
export const maskSubscription = (shown: Subscription): Subscription => ({
  ...shown,
  secret: null,
  signing_secret: null,
  target: {
    ...shown.target,
    headers: Object.fromEntries(Object.keys(shown.target.headers).map((name) => [name, null])),
  },
});

/** Subscriptions as they are shown to those who may see their secrets. */
export const viewSubscriptions = async (
  vault: Pick<Vault, 'open'>,
  publicKey: string,
  records: readonly SubscriptionRecord[],
  now: Date,
): Promise<Subscription[]> => {
  const opened = await vault.open(records.flatMap(sealedIdsOf));
  return records.map((record) => {
    const { settings, previousValidUntil } = record;
    const { target } = settings;
    const secret = opened.get(record.secretId) ?? '';
    const [label] = Object.entries(settings.labels);
    return {
      application_id: record.applicationId,
      subscription_id: record.subscriptionId,
      is_enabled: settings.isEnabled,
      disabled_reason: settings.isEnabled ? null : record.disabledReason,
      event_types: [...settings.eventTypes],
      description: settings.description,
      secret,
      signing_secret: secret === '' ? '' : whsecOf(secret),
      previous_secret_valid_until:
        previousValidUntil !== null && previousValidUntil > now ? previousValidUntil.toISOString() : null,
      metadata: settings.metadata,
      labels: settings.labels,
      label_key: label?.[0] ?? null,
      label_value: label?.[1] ?? null,
      target: {
        type: 'http' as const,
        method: target.method,
        url: target.url,
        headers: openHeaders(settings, opened),
      },
      created_at: record.createdAt.toISOString(),
      updated_at: record.updatedAt.toISOString(),
      dedicated_workers: [...settings.dedicatedWorkers],
      retry_schedule: settings.retrySchedule,
      concurrency_max: settings.concurrencyMax,
      sign_ed25519: settings.signEd25519,
      public_key: settings.signEd25519 ? publicKey : null,
    };
  });
};
