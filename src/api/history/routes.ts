import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import { parseEventTypeName } from '../../domain/event-type/name.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { findOwner, listHistory } from '../../history/queries.ts';
import { authorize } from '../auth/authorize.ts';
import type { ApiDeps } from '../deps.ts';
import { ApplicationQuery, PageQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { uuid } from '../http/strings.ts';
import { applicationIdOf } from '../scope.ts';
import { Entry, viewEntry } from './view.ts';

type Named = {
  readonly what: string;
  readonly id: string;
  readonly action: Action;
  readonly streamId: string;
  readonly partition?: number | undefined;
};

const DESCRIPTION =
  'Newest first: who, when, from where, why, and what changed. Of what was deleted, too. Secrets are in none.';

/** What happened to each kind of object, from its stream of the log; open to whom the object is. */
export const historyRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { config, reader, partitions } = deps;

    const answer = async (
      request: FastifyRequest,
      reply: FastifyReply,
      { what, id, action, streamId, partition }: Named,
      query: z.output<typeof PageQuery>,
    ): Promise<z.output<typeof Entry>[]> => {
      const owner = await findOwner(reader, streamId, partition);
      if (!owner) throw notFound(what, id);
      authorize(request.principal, action, { ...owner, named: { what, id } });
      const page = await listHistory(reader, streamId, { ...pageRequest(query), partition });
      linkNext(request, reply, config.publicUrl, page);
      return page.rows.map(viewEntry);
    };
    const about = (
      id: string,
      tag:
        | 'Organizations'
        | 'Applications'
        | 'Application secrets'
        | 'Subscriptions'
        | 'Deliveries'
        | 'Events'
        | 'Event types',
      what: string,
    ) =>
      ({
        id,
        tag,
        summary: `Read the history of ${what}`,
        description: DESCRIPTION,
        problems: ['InvalidCursor'],
      }) as const;
    const response = { 200: z.array(Entry) };

    app.get(
      '/organizations/:organization_id/history',
      operation(about('listOrganizationHistory', 'Organizations', 'an organization'), {
        params: z.object({ organization_id: uuid() }),
        querystring: PageQuery,
        response,
      }),
      (request, reply) => {
        const id = request.params.organization_id;
        const streamId = `organization:${id}`;
        const partition = partitionOf(id, partitions);
        return answer(
          request,
          reply,
          { what: 'organization', id, action: 'member:list', streamId, partition }, // Most of it is about people.
          request.query,
        );
      },
    );

    app.get(
      '/applications/:application_id/history',
      operation(about('listApplicationHistory', 'Applications', 'an application'), {
        params: z.object({ application_id: uuid() }),
        querystring: PageQuery,
        response,
      }),
      (request, reply) => {
        const id = request.params.application_id;
        const streamId = `application:${id}`;
        const partition = partitionOf(id, partitions);
        return answer(
          request,
          reply,
          { what: 'application', id, action: 'application:get', streamId, partition },
          request.query,
        );
      },
    );

    app.get(
      '/application_secrets/:secret_id/history',
      operation(about('listApplicationSecretHistory', 'Application secrets', 'the secret of an application'), {
        params: z.object({ secret_id: uuid() }),
        querystring: PageQuery,
        response,
      }),
      (request, reply) => {
        const id = request.params.secret_id;
        return answer(
          request,
          reply,
          {
            what: 'application secret',
            id,
            action: 'application_secret:list',
            streamId: `application_secret:${id}`,
          },
          request.query,
        );
      },
    );

    app.get(
      '/subscriptions/:subscription_id/history',
      operation(about('listSubscriptionHistory', 'Subscriptions', 'a subscription'), {
        params: z.object({ subscription_id: uuid() }),
        querystring: PageQuery,
        response,
      }),
      (request, reply) => {
        const id = request.params.subscription_id;
        return answer(
          request,
          reply,
          { what: 'subscription', id, action: 'subscription:get', streamId: `subscription:${id}` },
          request.query,
        );
      },
    );

    app.get(
      '/deliveries/:delivery_id/history',
      operation(about('listDeliveryHistory', 'Deliveries', 'a delivery'), {
        params: z.object({ delivery_id: uuid() }),
        querystring: PageQuery,
        response,
      }),
      (request, reply) => {
        const id = request.params.delivery_id;
        return answer(
          request,
          reply,
          { what: 'delivery', id, action: 'delivery:get', streamId: `delivery:${id}` },
          request.query,
        );
      },
    );

    app.get(
      '/events/:event_id/history',
      operation(about('listEventHistory', 'Events', 'an event'), {
        params: z.object({ event_id: uuid() }),
        querystring: PageQuery.extend(ApplicationQuery.shape),
        response,
      }),
      (request, reply) => {
        const id = request.params.event_id;
        const applicationId = applicationIdOf(request.principal, request.query.application_id);
        const streamId = `event:${applicationId}:${id}`;
        const partition = partitionOf(applicationId, partitions);
        return answer(request, reply, { what: 'event', id, action: 'event:get', streamId, partition }, request.query);
      },
    );

    app.get(
      '/event_types/:name/history',
      operation(about('listEventTypeHistory', 'Event types', 'an event type'), {
        params: z.object({ name: z.string().max(300) }),
        querystring: PageQuery.extend(ApplicationQuery.shape),
        response,
      }),
      (request, reply) => {
        const { name } = request.params;
        const applicationId = applicationIdOf(request.principal, request.query.application_id);
        if (parseEventTypeName(name) === null) throw notFound('event type', name);
        const streamId = `event_type:${applicationId}:${name}`;
        const partition = partitionOf(applicationId, partitions);
        return answer(
          request,
          reply,
          { what: 'event type', id: name, action: 'event_type:get', streamId, partition },
          request.query,
        );
      },
    );
  };
