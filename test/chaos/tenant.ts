import { randomUUID } from 'node:crypto';
import { applicationDecider } from '#src/domain/application/decider.ts';
import { eventTypeDecider } from '#src/domain/event-type/decider.ts';
import { organizationDecider } from '#src/domain/organization/decider.ts';
import { whsecOf } from '#src/domain/signature/keys.ts';
import { subscriptionDecider } from '#src/domain/subscription/decider.ts';
import type { SubscriptionCommand } from '#src/domain/subscription/events.ts';
import { createCommandHandler } from '#src/eventstore/command-handler.ts';
import { createGroupCommit } from '#src/eventstore/group-commit.ts';
import { partitionOf } from '#src/eventstore/partition.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { createLogReader } from '#src/eventstore/read.ts';
import { projectConfiguration } from '#src/projections/configuration/projections.ts';
import { createVault } from '#src/vault/vault.ts';

const METADATA = { actor: 'system:test', causationId: 'chaos', correlationId: 'chaos' };

export type Subscribed = { readonly subscriptionId: string; readonly path: string; readonly secret: string };

export type Tenant = {
  readonly applicationId: string;
  readonly eventType: string;
  readonly subscriptions: readonly Subscribed[];
  /** Resolves when it is committed. */
  readonly disable: (subscriptionId: string) => Promise<void>;
};

export type TenantOptions = {
  readonly url: string;
  readonly partitions: number;
  readonly encryptionKey: { readonly id: string; readonly key: Buffer };
  /** Origins of the receiver, taken in turn. */
  readonly targetUrls: readonly string[];
  readonly subscriptions: number;
};

/** An application with subscriptions to everything it sends, set up by commands as the API would. */
export const createTenant = async (options: TenantOptions): Promise<Tenant> => {
  const { partitions } = options;
  const withHandler = async <T>(use: (handler: ReturnType<typeof openHandler>) => Promise<T>): Promise<T> => {
    const handler = openHandler(options);
    try {
      return await use(handler);
    } finally {
      await handler.close();
    }
  };
  const [organizationId, applicationId, eventType] = [randomUUID(), randomUUID(), 'chaos.order.paid'];
  const at = (): { now: Date } => ({ now: new Date() });
  const along = () => ({ movesConfiguration: true, project: projectConfiguration });
  const stream = (streamId: string) => ({ streamId, partition: partitionOf(applicationId, partitions) });

  const subscribe = async ({ handle, vault }: ReturnType<typeof openHandler>, n: number): Promise<Subscribed> => {
    const path = `/hook/${n}`;
    const url = `${options.targetUrls[n % options.targetUrls.length]}${path}`;
    const wanted = Math.floor((n * partitions) / options.subscriptions);
    const [subscriptionId, secretId, plain] = [idIn(wanted, partitions), randomUUID(), randomUUID()];
    const sealed = await vault.seal({ organizationId, sealedId: secretId, plain });
    const settings = {
      isEnabled: true,
      eventTypes: [eventType],
      description: null,
      labels: {},
      metadata: {},
      target: { type: 'http', method: 'POST', url, headerNames: [], sealedHeadersId: null },
      retrySchedule: null,
      concurrencyMax: null,
      signEd25519: false,
      dedicatedWorkers: [],
    } as const;
    const data = { subscriptionId, applicationId, organizationId, settings, secretId };
    const command: SubscriptionCommand = { type: 'CreateSubscription', data, metadata: at() };
    await handle(subscriptionDecider, stream(`subscription:${subscriptionId}`), command, METADATA, () => ({
      ...along(),
      writes: [sealed],
    }));
    return { subscriptionId, path, secret: whsecOf(plain) };
  };

  const subscriptions = await withHandler(async (handler) => {
    const { handle } = handler;
    await handle(
      organizationDecider,
      { streamId: `organization:${organizationId}`, partition: partitionOf(organizationId, partitions) },
      { type: 'CreateOrganization', data: { organizationId, name: 'Chaos' }, metadata: at() },
      METADATA,
      along,
    );
    await handle(
      applicationDecider,
      stream(`application:${applicationId}`),
      { type: 'CreateApplication', data: { applicationId, organizationId, name: 'Chaos' }, metadata: at() },
      METADATA,
      along,
    );
    await handle(
      eventTypeDecider,
      stream(`event_type:${applicationId}:${eventType}`),
      { type: 'CreateEventType', data: { applicationId, organizationId, name: eventType }, metadata: at() },
      METADATA,
      along,
    );
    const made: Subscribed[] = [];
    for (let n = 0; n < options.subscriptions; n += 1) made.push(await subscribe(handler, n));
    return made;
  });

  return {
    applicationId,
    eventType,
    subscriptions,
    disable: (subscriptionId) =>
      withHandler(async ({ handle }) => {
        const data = { subscriptionId, applicationId, organizationId, reason: 'request' } as const;
        const command: SubscriptionCommand = { type: 'DisableSubscription', data, metadata: at() };
        await handle(subscriptionDecider, stream(`subscription:${subscriptionId}`), command, METADATA, along);
      }),
  };
};

/** An id that belongs to a log partition: spread evenly, every worker gets some of the subscriptions. */
const idIn = (partition: number, partitions: number): string => {
  for (;;) {
    const id = randomUUID();
    if (partitionOf(id, partitions) === partition) return id;
  }
};

const openHandler = ({ url, partitions, encryptionKey }: TenantOptions) => {
  const pool = createAppPool({ url, max: 2, name: 'chaos' });
  const log = createGroupCommit({ pool });
  return {
    handle: createCommandHandler({ log, reader: createLogReader({ db: pool, partitions }) }),
    vault: createVault({ pool, keys: [encryptionKey] }),
    close: () => pool.end(),
  };
};
