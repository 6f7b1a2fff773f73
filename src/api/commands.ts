import type { Command, Decider, Event } from '@event-driven-io/emmett';
import type { FastifyRequest } from 'fastify';
import { applicationDecider } from '../domain/application/decider.ts';
import type { ApplicationCommand } from '../domain/application/events.ts';
import { applicationSecretDecider } from '../domain/application-secret/decider.ts';
import type { ApplicationSecretCommand } from '../domain/application-secret/events.ts';
import { type EventType, eventTypeDecider } from '../domain/event-type/decider.ts';
import type { EventTypeCommand, EventTypeEvent } from '../domain/event-type/events.ts';
import { type Organization, organizationDecider } from '../domain/organization/decider.ts';
import type { OrganizationCommand, OrganizationEvent } from '../domain/organization/events.ts';
import { quotaDecider } from '../domain/quota/decider.ts';
import type { QuotaCommand } from '../domain/quota/events.ts';
import { serviceTokenDecider } from '../domain/service-token/decider.ts';
import type { ServiceTokenCommand } from '../domain/service-token/events.ts';
import { subscriptionDecider } from '../domain/subscription/decider.ts';
import type { SubscriptionCommand } from '../domain/subscription/events.ts';
import type { Along } from '../eventstore/command-handler.ts';
import { partitionOf } from '../eventstore/partition.ts';
import type { RunQuery, StreamAppend, Write } from '../eventstore/types.ts';
import { CONFIGURATION_TYPES, projectConfiguration } from '../projections/configuration/projections.ts';
import type { ApiDeps } from './deps.ts';
import { metadataOf } from './scope.ts';

/** A command as routes write it: the instant is added here. */
type Plain<C extends Command> = C extends Command<infer Type, infer Data> ? { type: Type; data: Data } : never;

type Several<C> = Command<'Several', { commands: readonly C[] }>;

/** Decides several commands on one stream as one append: all of them happen, or none does. */
const severally = <State, C extends Command, E extends Event>(
  decider: Decider<State, C, E>,
): Decider<State, Several<C>, E> => ({
  ...decider,
  decide: ({ data }, initial) => {
    let state = initial;
    return data.commands.flatMap((command) => {
      const events = [decider.decide(command, state)].flat() as E[];
      state = events.reduce(decider.evolve, state);
      return events;
    });
  },
});

/** Runs in the transaction of an append, once it is projected; a DomainError that it throws refuses the append. */
type Beside = (run: RunQuery) => Promise<void>;
const nothing: Beside = async () => undefined;

/** Along with every change of the configuration: it is projected within the append, and later events are routed with it. */
const configured = (writes: readonly Write[] = [], beside: Beside = nothing): Along => ({
  movesConfiguration: CONFIGURATION_TYPES,
  project: async (events, run) => {
    await projectConfiguration(events, run);
    await beside(run);
  },
  writes,
});

/** Changes of the configuration, on behalf of whoever makes a request. */
export const createCommands = ({ handle, partitions, now }: Pick<ApiDeps, 'handle' | 'partitions' | 'now'>) => {
  const at = (): { now: Date } => ({ now: now() });
  /** The stream of a secret whose id was made for it. */
  const begun = (command: Plain<ApplicationSecretCommand>): StreamAppend => {
    const { secretId, applicationId } = command.data;
    const given = { ...command, metadata: at() } as ApplicationSecretCommand;
    return {
      streamId: `application_secret:${secretId}`,
      partition: partitionOf(applicationId, partitions),
      expectedVersion: 'new',
      events: [applicationSecretDecider.decide(given, applicationSecretDecider.initialState())].flat(),
    };
  };
  return {
    organization: (
      request: FastifyRequest,
      organizationId: string,
      commands: readonly Plain<OrganizationCommand>[],
      project: Along['project'] = projectConfiguration,
    ) =>
      handle<Organization, Several<OrganizationCommand>, OrganizationEvent>(
        severally(organizationDecider),
        { streamId: `organization:${organizationId}`, partition: partitionOf(organizationId, partitions) },
        {
          type: 'Several',
          data: { commands: commands.map((command) => ({ ...command, metadata: at() }) as OrganizationCommand) },
        },
        metadataOf(request),
        () => ({ ...configured(), project }),
      ),

    /** Members and invitations: what nothing is routed with. `beside` runs in the transaction of the append. */
    members: (request: FastifyRequest, command: Plain<OrganizationCommand>, beside: Beside = nothing) => {
      const { organizationId } = command.data;
      return handle(
        organizationDecider,
        { streamId: `organization:${organizationId}`, partition: partitionOf(organizationId, partitions) },
        { ...command, metadata: at() } as OrganizationCommand,
        metadataOf(request),
        () => ({
          project: async (events, run) => {
            await projectConfiguration(events, run);
            await beside(run);
          },
        }),
      );
    },

    serviceToken: (request: FastifyRequest, command: Plain<ServiceTokenCommand>, writes: readonly Write[] = []) => {
      const { tokenId, organizationId } = command.data;
      return handle(
        serviceTokenDecider,
        { streamId: `service_token:${tokenId}`, partition: partitionOf(organizationId, partitions) },
        { ...command, metadata: at() } as ServiceTokenCommand,
        metadataOf(request),
        () => ({ project: projectConfiguration, writes }),
      );
    },

    /** `scope` is the plan's name, or the id of the organization or the application. */
    quota: (request: FastifyRequest, kind: 'plan' | 'quota', scope: string, command: Plain<QuotaCommand>) =>
      handle(
        quotaDecider,
        { streamId: `${kind}:${scope}`, partition: partitionOf(scope, partitions) },
        { ...command, metadata: at() } as QuotaCommand,
        metadataOf(request),
        () => ({ project: projectConfiguration }),
      ),

    /** With `secret` another stream begins in the same append: the application has no moment without one. */
    application: (
      request: FastifyRequest,
      command: Plain<ApplicationCommand>,
      secret?: { readonly command: Plain<ApplicationSecretCommand>; readonly write: Write },
      beside: Beside = nothing,
    ) => {
      const { applicationId } = command.data;
      const partition = partitionOf(applicationId, partitions);
      return handle(
        applicationDecider,
        { streamId: `application:${applicationId}`, partition },
        { ...command, metadata: at() } as ApplicationCommand,
        metadataOf(request),
        () => ({ ...configured(secret && [secret.write], beside), ...(secret && { others: [begun(secret.command)] }) }),
      );
    },

    applicationSecret: (
      request: FastifyRequest,
      command: Plain<ApplicationSecretCommand>,
      writes: readonly Write[] = [],
      beside: Beside = nothing,
    ) => {
      const { secretId, applicationId } = command.data;
      return handle(
        applicationSecretDecider,
        { streamId: `application_secret:${secretId}`, partition: partitionOf(applicationId, partitions) },
        { ...command, metadata: at() } as ApplicationSecretCommand,
        metadataOf(request),
        () => configured(writes, beside),
      );
    },

    /** All of the commands, which are about one event type, or none. */
    eventType: (
      request: FastifyRequest,
      [first, ...others]: readonly [Plain<EventTypeCommand>, ...Plain<EventTypeCommand>[]],
      beside: Beside = nothing,
    ) => {
      const { applicationId, name } = first.data;
      return handle<EventType, Several<EventTypeCommand>, EventTypeEvent>(
        severally(eventTypeDecider),
        { streamId: `event_type:${applicationId}:${name}`, partition: partitionOf(applicationId, partitions) },
        {
          type: 'Several',
          data: { commands: [first, ...others].map((command) => ({ ...command, metadata: at() }) as EventTypeCommand) },
        },
        metadataOf(request),
        () => configured([], beside),
      );
    },

    subscription: (
      request: FastifyRequest,
      command: Plain<SubscriptionCommand>,
      writes: readonly Write[] = [],
      beside: Beside = nothing,
    ) => {
      const { subscriptionId, applicationId } = command.data;
      return handle(
        subscriptionDecider,
        { streamId: `subscription:${subscriptionId}`, partition: partitionOf(applicationId, partitions) },
        { ...command, metadata: at() } as SubscriptionCommand,
        metadataOf(request),
        () => configured(writes, beside),
      );
    },
  };
};

export type Commands = ReturnType<typeof createCommands>;
