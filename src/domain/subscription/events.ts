import type { DomainCommand, DomainEvent } from '../metadata.ts';

export type HttpMethod = 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'HEAD';

/** Where requests go. Header values may be credentials: the log knows their names, their values are sealed. */
export type SubscriptionTarget = {
  readonly type: 'http';
  readonly method: HttpMethod;
  /** Absolute, as the WHATWG URL parser spells it. */
  readonly url: string;
  readonly headerNames: readonly string[];
  /** Id of the sealed JSON object of header values; null when there are none. */
  readonly sealedHeadersId: string | null;
};

/** Everything a person may set; a replacement carries all of it. */
export type SubscriptionSettings = {
  readonly isEnabled: boolean;
  /** Exact names, or patterns with `*` for one part and a closing `**` for the rest. */
  readonly eventTypes: readonly string[];
  readonly description: string | null;
  /** An event matches when its labels contain all of these with equal values; none means every event. */
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly target: SubscriptionTarget;
  /** A schedule as `POSTHORN_RETRY_SCHEDULE` is written; null takes the instance's. */
  readonly retrySchedule: string | null;
  /** Requests in flight at once at most; null takes the instance's cap. */
  readonly concurrencyMax: number | null;
  /** Signs with Ed25519 (`v1a`) as well. */
  readonly signEd25519: boolean;
  readonly dedicatedWorkers: readonly string[];
};

type Ids = { readonly subscriptionId: string; readonly applicationId: string; readonly organizationId: string };

/** Why Posthorn itself disabled a subscription, or `request` when somebody asked for it. */
export type DisableReason = 'request' | 'gone';

/** Stream `subscription:<subscription id>`, in the log partition of the application id. */
export type SubscriptionEvent =
  | DomainEvent<'SubscriptionCreated', Ids & { settings: SubscriptionSettings; secretId: string; createdAt: string }>
  | DomainEvent<'SubscriptionReplaced', Ids & { settings: SubscriptionSettings; replacedAt: string }>
  | DomainEvent<'SubscriptionEnabled', Ids & { enabledAt: string }>
  | DomainEvent<'SubscriptionDisabled', Ids & { reason: DisableReason; disabledAt: string }>
  /** The old secret goes on signing beside the new one until `previousValidUntil`. */
  | DomainEvent<
      'SubscriptionSecretRotated',
      Ids & { secretId: string; previousSecretId: string; previousValidUntil: string; rotatedAt: string }
    >
  | DomainEvent<'SubscriptionDeleted', Ids & { deletedAt: string }>;

export type SubscriptionCommand =
  | DomainCommand<'CreateSubscription', Ids & { settings: SubscriptionSettings; secretId: string }>
  /**
   * Replaces all settings. A change of `isEnabled` is told by its own domain event (`SubscriptionEnabled` or
   * `SubscriptionDisabled`) after `SubscriptionReplaced`; equal settings stay quiet.
   */
  | DomainCommand<'ReplaceSubscription', Ids & { settings: SubscriptionSettings }>
  | DomainCommand<'DisableSubscription', Ids & { reason: DisableReason }>
  | DomainCommand<'EnableSubscription', Ids>
  | DomainCommand<'RotateSubscriptionSecret', Ids & { secretId: string; overlapSeconds: number }>
  | DomainCommand<'DeleteSubscription', Ids>;
