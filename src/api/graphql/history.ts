import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { HistoryEntry } from '../../history/describe.ts';
import type { Change } from '../../history/diff.ts';
import { pageOfHistory } from '../../history/queries.ts';
import { AUDITED } from '../../projections/audit/projection.ts';
import type {
  ApplicationRecord,
  EventTypeRecord,
  OrganizationRecord,
  SubscriptionRecord,
} from '../../projections/configuration/queries.ts';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import type { Page } from '../../projections/page.ts';
import type { Resource } from '../auth/authorize.ts';
import { text } from '../http/strings.ts';
import { type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Moment, type Seen } from './context.ts';
import { type Given, type Span, spanOf } from './filters.ts';
import { logPosition } from './position.ts';
import type { Fields, Resolver } from './schema.ts';

/** Where the history of an object is: its stream, and the id that chooses the stream's log partition. */
type Stream = { readonly streamId: string; readonly routingKey: string };

/** The history of one kind of object, open to whoever may read the object. */
const historyOf =
  <Source extends { readonly moment: Moment }>(
    action: Action,
    resourceOf: (source: Source) => Resource,
    streamOf: (source: Source) => Stream,
  ): Resolver =>
  async (source: Source, args: PageArgs, context: Context): Promise<Page<HistoryEntry>> => {
    allow(context, action, resourceOf(source));
    const request = pageOf(args);
    const { streamId, routingKey } = streamOf(source);
    const partition = partitionOf(routingKey, context.deps.partitions);
    const entries = await source.moment.loaders.history({ streamId, partition });
    return pageOfHistory(streamId, entries ?? [], request);
  };

const ofApplication = ({ applicationId }: { readonly applicationId: string }): Resource => ({ applicationId });

const AuditConditions = z.object({ actor: text(1, 200).optional(), type: z.enum(AUDITED).optional() });
type AuditFilterInput = Given<Span & { actor: string; type: string }>;

const auditTrail = async (
  { applicationId, moment }: Seen<ApplicationRecord>,
  { filter, ...args }: PageArgs & { filter?: AuditFilterInput | null },
  context: Context,
): Promise<Page<HistoryEntry>> => {
  allow(context, 'application:get', { applicationId });
  const { actor, type, ...span } = filter ?? {};
  const conditions = AuditConditions.parse({ actor: actor ?? undefined, type: type ?? undefined });
  return moment.reads.audit(applicationId, { ...conditions, ...spanOf(span), ...pageOf(args) });
};

/** Below these stand names that people chose, which are shown as they are. */
const OF_PEOPLE = new Set(['labels', 'metadata']);

/** A JSON Pointer as this schema names fields: dotted, in camel case. */
const dotted = (pointer: string): string => {
  const parts = pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const [first = ''] = parts;
  return parts
    .map((part, at) =>
      at > 0 && OF_PEOPLE.has(first) ? part : part.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    )
    .join('.');
};

export const historyFields: Fields = {
  Organization: {
    history: historyOf(
      'member:list', // Most of it is about people.
      ({ organizationId }: Seen<OrganizationRecord>) => ({ organizationId }),
      ({ organizationId }) => ({ streamId: `organization:${organizationId}`, routingKey: organizationId }),
    ),
  },
  Application: {
    history: historyOf('application:get', ofApplication, ({ applicationId }: Seen<ApplicationRecord>) => ({
      streamId: `application:${applicationId}`,
      routingKey: applicationId,
    })),
    auditTrail,
  },
  EventType: {
    history: historyOf('event_type:get', ofApplication, ({ applicationId, name }: Seen<EventTypeRecord>) => ({
      streamId: `event_type:${applicationId}:${name}`,
      routingKey: applicationId,
    })),
  },
  Subscription: {
    history: historyOf(
      'subscription:get',
      ofApplication,
      ({ applicationId, subscriptionId }: Seen<SubscriptionRecord>) => ({
        streamId: `subscription:${subscriptionId}`,
        routingKey: applicationId,
      }),
    ),
  },
  Event: {
    history: historyOf('event:get', ofApplication, ({ applicationId, eventId }: Seen<EventRecord>) => ({
      streamId: `event:${applicationId}:${eventId}`,
      routingKey: applicationId,
    })),
  },
  Delivery: {
    history: historyOf('delivery:get', ofApplication, ({ deliveryId, subscriptionId }: Seen<DeliveryRecord>) => ({
      streamId: `delivery:${deliveryId}`,
      routingKey: subscriptionId,
    })),
  },
  HistoryEntry: {
    position: (place: HistoryEntry) => logPosition(place),
  },
  Change: { path: ({ path }: Change) => dotted(path) },
};
