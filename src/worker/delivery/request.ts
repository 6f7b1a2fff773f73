import type { KeyObject } from 'node:crypto';
import { signHook0 } from '../../domain/signature/hook0.ts';
import { prepareSymmetricKey } from '../../domain/signature/keys.ts';
import { signStandardWebhooks } from '../../domain/signature/standard-webhooks.ts';
import type { SubscriptionConfiguration } from '../../projections/configuration/application-configuration.ts';
import type { Vault } from '../../vault/vault.ts';
import type { PendingDelivery } from '../../worklist/pending-delivery.ts';
import type { SendRequest } from '../send/send.ts';

const KEYS_MAX = 50_000;

export type RequestBuilderOptions = {
  readonly vault: Vault;
  /** Name of the header that carries Hook0's signature. */
  readonly signatureHeader: string;
  /** Adds `v0` to it, for receivers that know no other. */
  readonly signatureV0: boolean;
  /** The instance's Ed25519 key, for subscriptions that ask for `v1a`. */
  readonly ed25519Key: KeyObject;
};

/** Thrown when a subscription's secret is gone: nothing can be signed for it any more. */
export class SecretMissing extends Error {}

/**
 * Builds signed requests. `at` is the instant of this attempt in milliseconds: both signature families carry it, so a retry
 * an hour later verifies again. The delivery id is `webhook-id` on every attempt.
 */
export const createRequestBuilder = ({ vault, signatureHeader, signatureV0, ed25519Key }: RequestBuilderOptions) => {
  const keys = new Map<string, KeyObject>();

  const keyOf = (secretId: string, secret: string): KeyObject => {
    const known = keys.get(secretId);
    if (known) return known;
    if (keys.size >= KEYS_MAX) keys.delete(keys.keys().next().value ?? '');
    const key = prepareSymmetricKey(secret);
    keys.set(secretId, key);
    return key;
  };

  const secretsOf = async (
    subscription: SubscriptionConfiguration,
    at: number,
  ): Promise<{ keys: KeyObject[]; custom: Record<string, string> }> => {
    const { secretId, previousSecretId, previousValidUntilMs, settings } = subscription;
    const secretIds =
      previousSecretId !== null && at < previousValidUntilMs ? [secretId, previousSecretId] : [secretId];
    const headersId = settings.target.sealedHeadersId;
    const prepared = secretIds.map((id) => keys.get(id));
    if (headersId === null && !prepared.includes(undefined)) return { keys: prepared as KeyObject[], custom: {} };
    const opened = await vault.open(headersId === null ? secretIds : [...secretIds, headersId]);
    const custom = headersId === null ? '{}' : opened.get(headersId);
    const secrets = secretIds.map((id) => [id, opened.get(id)] as const);
    if (custom === undefined || secrets[0]?.[1] === undefined)
      throw new SecretMissing(
        `Subscription ${subscription.subscriptionId} has no secret any more; rotate it to make a new one.`,
      );
    return {
      keys: secrets.flatMap(([id, secret]) => (secret === undefined ? [] : [keyOf(id, secret)])),
      custom: JSON.parse(custom) as Record<string, string>,
    };
  };

  return async (
    pending: PendingDelivery,
    subscription: SubscriptionConfiguration,
    body: Buffer,
    at: number,
  ): Promise<SendRequest> => {
    const { target, signEd25519 } = subscription.settings;
    const { keys: symmetric, custom } = await secretsOf(subscription, at);
    const [newest] = symmetric;
    if (!newest)
      throw new SecretMissing(
        `Subscription ${subscription.subscriptionId} has no secret any more; rotate it to make a new one.`,
      );
    const timestamp = Math.floor(at / 1000);
    const signed: Record<string, string> = {
      ...custom,
      'Content-Type': pending.contentType,
      'X-Event-Id': pending.eventId,
      'X-Event-Type': pending.eventType,
    };
    const headers: Record<string, string> = {
      ...signed,
      [signatureHeader]: signHook0({
        key: newest,
        timestampSeconds: timestamp,
        body,
        headers: signed,
        withV0: signatureV0,
      }),
      'webhook-id': pending.deliveryId,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signStandardWebhooks({
        id: pending.deliveryId,
        timestamp,
        body,
        keys: signEd25519 ? [...symmetric, ed25519Key] : symmetric,
      }),
      'X-Posthorn-Attempt': String(pending.attemptNumber),
    };
    return { url: target.url, method: target.method, headers, body };
  };
};

export type BuildRequest = ReturnType<typeof createRequestBuilder>;
