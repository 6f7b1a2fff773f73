import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { Past } from '../../projections/as-of/past.ts';
import { findSubscriptionDescriptionsAsOf } from '../../projections/configuration/as-of.ts';
import { findSubscriptionDescriptions } from '../../projections/configuration/queries.ts';
import { listDeliveriesAsOf } from '../../projections/delivery/as-of.ts';
import { listDeliveries } from '../../projections/delivery/queries.ts';
import { findKeptPayloads } from '../../worklist/payload.ts';
import { authorize } from '../auth/authorize.ts';
import type { ApiDeps } from '../deps.ts';
import { readEvent } from '../event/view.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, instantQuery, PageQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { viewAttempt } from '../request-attempt/view.ts';
import { applicationFor } from '../scope.ts';
import { createDeliveryCommands } from './commands.ts';
import { type DeliveryHistory, readDelivery } from './history.ts';
import { DELIVERY_STATUSES, Delivery, DeliveryWithAttempts, viewDelivery } from './view.ts';

const DeliveryParams = z.object({ delivery_id: uuid() });
const DeliveriesQuery = PageQuery.extend(ApplicationQuery.shape)
  .extend(AsOfQuery.shape)
  .extend({
    subscription_id: uuid().optional(),
    event_id: uuid().optional(),
    event_type: text(1, 200).optional(),
    status: z.enum(DELIVERY_STATUSES).optional(),
    from: instantQuery().optional().describe('The event was received then or later.'),
    to: instantQuery().optional().describe('The event was received before.'),
  });
const NoBody = z.object({}).nullish();

export const deliveryRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, reader, partitions, now } = deps;
    const commands = createDeliveryCommands(deps);

    const load = async (
      request: FastifyRequest,
      action: Action,
      deliveryId: string,
      past?: Past,
    ): Promise<DeliveryHistory> => {
      const found = await readDelivery(reader, deliveryId, past?.cut);
      const { organizationId, applicationId } = found.delivery;
      authorize(request.principal, action, {
        organizationId,
        applicationId,
        named: { what: 'delivery', id: deliveryId },
      });
      return found;
    };

    const view = async (
      { delivery, attempts }: DeliveryHistory,
      past?: Past,
    ): Promise<z.output<typeof DeliveryWithAttempts>> => {
      const ids = [delivery.subscriptionId];
      const descriptions = await (past
        ? findSubscriptionDescriptionsAsOf(past, ids)
        : findSubscriptionDescriptions(pool, ids));
      const subscriptionDescription = descriptions.get(delivery.subscriptionId) ?? null;
      const at = past?.cut.instant ?? now();
      return {
        ...viewDelivery(delivery),
        request_attempts: attempts.map((attempt) => viewAttempt({ ...attempt, subscriptionDescription }, at)),
      };
    };

    app.get(
      '/deliveries',
      operation(
        {
          id: 'listDeliveries',
          tag: 'Deliveries',
          summary: 'List deliveries, those of the newest events first',
          description:
            'The list follows what happens within a second. A page may be short, even empty, and still have a next one.',
          problems: ['InvalidAsOf', 'InvalidCursor', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        { querystring: DeliveriesQuery, response: { 200: z.array(Delivery) } },
      ),
      async (request, reply) => {
        const { query } = request;
        const { from, to, event_id: eventId } = query;
        if (from && to && from > to) throw new Problem('InvalidDateRange', '`from` is later than `to`.');
        const past = await pastOf(deps, query);
        const { applicationId } = await applicationFor(pool, request, 'delivery:list', query.application_id, past);
        const event = eventId === undefined ? undefined : await readEvent(deps, applicationId, eventId, past?.cut);
        const filter = {
          subscriptionId: query.subscription_id,
          event: event && { eventId: event.eventId, receivedAt: new Date(event.receivedAt) },
          status: query.status,
          eventType: query.event_type,
          from,
          to,
          ...pageRequest(query),
        };
        const page = await (past
          ? listDeliveriesAsOf(past, applicationId, filter)
          : listDeliveries(pool, applicationId, filter));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(viewDelivery);
      },
    );

    app.get(
      '/deliveries/:delivery_id',
      operation(
        {
          id: 'getDelivery',
          tag: 'Deliveries',
          summary: 'Read a delivery and its attempts',
          problems: ['InvalidAsOf'],
        },
        { params: DeliveryParams, querystring: AsOfQuery, response: { 200: DeliveryWithAttempts } },
      ),
      async (request) => {
        const past = await pastOf(deps, request.query);
        return view(await load(request, 'delivery:get', request.params.delivery_id, past), past);
      },
    );

    app.post(
      '/deliveries/:delivery_id/retry',
      operation(
        {
          id: 'retryDelivery',
          tag: 'Deliveries',
          summary: 'Send the waiting attempt now',
          description: 'Changes nothing when it is due already.',
          problems: ['DeliveryIsOver'],
        },
        { params: DeliveryParams, body: NoBody, response: { 200: DeliveryWithAttempts } },
      ),
      async (request) => {
        const { delivery } = await load(request, 'delivery:retry', request.params.delivery_id);
        await commands.retry(request, delivery);
        return view(await readDelivery(reader, delivery.deliveryId));
      },
    );

    app.post(
      '/deliveries/:delivery_id/cancel',
      operation(
        {
          id: 'cancelDelivery',
          tag: 'Deliveries',
          summary: 'Cancel what is still owed',
          description:
            'A request that is under way is not called back. One that is over stays as it is, which `status` tells.',
        },
        { params: DeliveryParams, body: NoBody, response: { 200: DeliveryWithAttempts } },
      ),
      async (request) => {
        const { delivery } = await load(request, 'delivery:cancel', request.params.delivery_id);
        await commands.cancel(request, delivery);
        return view(await readDelivery(reader, delivery.deliveryId));
      },
    );

    app.post(
      '/deliveries/:delivery_id/replay',
      operation(
        {
          id: 'replayDelivery',
          tag: 'Deliveries',
          summary: 'Send it again',
          description: 'Starts anew under the same delivery id; an attempt that is waiting becomes due.',
          problems: ['PayloadGone', 'SubscriptionInactive'],
        },
        { params: DeliveryParams, body: NoBody, response: { 200: DeliveryWithAttempts } },
      ),
      async (request) => {
        const { delivery } = await load(request, 'delivery:replay', request.params.delivery_id);
        const { applicationId, eventId, subscriptionId, deliveryId } = delivery;
        const event = await readEvent(deps, applicationId, eventId);
        const partition = partitionOf(applicationId, partitions);
        const { receivedAt } = event;
        const payloads = await findKeptPayloads(pool, [{ partition, applicationId, eventId, receivedAt }]);
        if (payloads.size === 0)
          throw new Problem('PayloadGone', `The payload of event ${eventId} is no longer kept; ingest it anew.`);
        await commands.replay(request, event, subscriptionId);
        return view(await readDelivery(reader, deliveryId));
      },
    );
  };
