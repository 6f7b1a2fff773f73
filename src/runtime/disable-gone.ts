import { uuidv7 } from '../domain/event/ids.ts';
import { type Subscription, subscriptionDecider } from '../domain/subscription/decider.ts';
import type { SubscriptionCommand, SubscriptionEvent } from '../domain/subscription/events.ts';
import { partitionOf } from '../eventstore/partition.ts';
import type { RunQuery } from '../eventstore/types.ts';
import { mailOwners } from '../mail/owners.ts';
import type { MailContent } from '../mail/templates.ts';
import type { SubscriptionConfiguration } from '../projections/configuration/application-configuration.ts';
import { projectConfiguration } from '../projections/configuration/projections.ts';
import type { Core } from './core.ts';

/** Disables a subscription whose receiver said 410, and tells the owners. */
export const disableAsGone = async (
  { handle }: Core,
  subscription: SubscriptionConfiguration,
  partitions: number,
): Promise<void> => {
  const { subscriptionId, applicationId, organizationId } = subscription;
  const at = new Date();
  await handle<Subscription, SubscriptionCommand, SubscriptionEvent>(
    subscriptionDecider,
    { streamId: `subscription:${subscriptionId}`, partition: partitionOf(applicationId, partitions) },
    {
      type: 'DisableSubscription',
      data: { subscriptionId, applicationId, organizationId, reason: 'gone' },
      metadata: { now: at },
    },
    { actor: 'system:worker', causationId: `subscription:${subscriptionId}`, correlationId: subscriptionId },
    () => ({
      movesConfiguration: true,
      project: async (events, run) => {
        await projectConfiguration(events, run);
        await mailDisabled(run, subscription, at);
      },
    }),
  );
};

const NAMES = `
  SELECT o.name AS organization, a.name AS application
  FROM application AS a JOIN organization AS o ON o.organization_id = a.organization_id WHERE a.application_id = $1`;

/** Tells the owners in the append that disables it: whoever relies on the events has to hear of it. */
const mailDisabled = async (run: RunQuery, subscription: SubscriptionConfiguration, at: Date): Promise<void> => {
  const { subscriptionId, applicationId, organizationId, settings } = subscription;
  const { rows } = await run(NAMES, [applicationId]);
  const content: MailContent = {
    template: 'endpoint_disabled',
    organization: String(rows[0]?.organization ?? ''),
    application: String(rows[0]?.application ?? ''),
    // Without what stands behind the path: it may be a credential.
    url: settings.target.url.split('?', 1)[0] ?? '',
    reason: 'it answered 410 Gone',
    subscriptionId,
  };
  await mailOwners(run, { organizationId, content, at, newId: () => uuidv7(at.getTime()) });
};
