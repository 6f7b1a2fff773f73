import type { Decider, Event } from '@event-driven-io/emmett';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applicationDecider } from '#src/domain/application/decider.ts';
import { applicationSecretDecider } from '#src/domain/application-secret/decider.ts';
import { deliveryDecider } from '#src/domain/delivery/decider.ts';
import { eventDecider } from '#src/domain/event/decider.ts';
import { eventTypeDecider } from '#src/domain/event-type/decider.ts';
import { organizationDecider } from '#src/domain/organization/decider.ts';
import { quotaDecider, quotaWarningDecider } from '#src/domain/quota/decider.ts';
import { retentionDecider } from '#src/domain/retention/decider.ts';
import { serviceTokenDecider } from '#src/domain/service-token/decider.ts';
import { subscriptionDecider } from '#src/domain/subscription/decider.ts';
import { userDecider } from '#src/domain/user/decider.ts';

const deciders = {
  organization: [
    organizationDecider,
    [
      'OrganizationCreated',
      'OrganizationRenamed',
      'OrganizationDeleted',
      'OrganizationErased',
      'MemberInvited',
      'InvitationRevoked',
      'MemberAdded',
      'MemberRoleChanged',
      'MemberRemoved',
    ],
  ],
  user: [userDecider, ['UserRegistered', 'UserEmailVerified', 'UserPasswordChanged', 'UserErased']],
  service_token: [
    serviceTokenDecider,
    ['ServiceTokenCreated', 'ServiceTokenRenamed', 'ServiceTokenRevoked', 'ServiceTokenBlockRevoked'],
  ],
  quota: [quotaDecider, ['PlanDefined', 'PlanRemoved', 'OrganizationQuotasSet', 'ApplicationQuotasSet']],
  quota_warning: [quotaWarningDecider, ['QuotaWarned']],
  application: [applicationDecider, ['ApplicationCreated', 'ApplicationRenamed', 'ApplicationDeleted']],
  application_secret: [
    applicationSecretDecider,
    ['ApplicationSecretCreated', 'ApplicationSecretRenamed', 'ApplicationSecretDeleted'],
  ],
  event_type: [
    eventTypeDecider,
    [
      'EventTypeCreated',
      'EventTypeDeactivated',
      'EventTypeReactivated',
      'EventTypeSchemaAdded',
      'EventTypeSchemaActivated',
      'EventTypeSchemaDeactivated',
    ],
  ],
  retention: [retentionDecider, ['RetentionApplied']],
  subscription: [
    subscriptionDecider,
    [
      'SubscriptionCreated',
      'SubscriptionReplaced',
      'SubscriptionEnabled',
      'SubscriptionDisabled',
      'SubscriptionSecretRotated',
      'SubscriptionDeleted',
    ],
  ],
  event: [eventDecider, ['EventIngested', 'EventReplayed', 'EventPayloadErased']],
  delivery: [
    deliveryDecider,
    [
      'AttemptScheduled',
      'AttemptRescheduled',
      'AttemptSucceeded',
      'AttemptFailed',
      'DeliveryDeadLettered',
      'DeliveryCancelled',
    ],
  ],
} as const;

/** Whatever a later release may have written: any fields, some of them ours. */
const anyData = fc.dictionary(
  fc.constantFrom('secretId', 'name', 'settings', 'attemptNumber', 'dueAt', 'labels', 'subscriptionId'),
  fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.object()),
);

describe.each(Object.entries(deciders))('evolve of %s', (_, [decider, types]) => {
  const { evolve, initialState } = decider as unknown as Decider<unknown, never, Event>;
  const anyEvent = fc.record({ type: fc.constantFrom(...types), data: anyData });

  it('never throws, in any sequence', () =>
    fc.assert(fc.property(fc.array(anyEvent), (events) => void events.reduce(evolve, initialState()))));
  it('passes over a domain event of a newer release', () =>
    fc.assert(
      fc.property(fc.array(anyEvent), (events) => {
        const state = events.reduce(evolve, initialState());
        expect(evolve(state, { type: 'WrittenByANewerRelease', data: {} })).toBe(state);
      }),
    ));
});
