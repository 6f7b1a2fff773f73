import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { listAudit } from '../../history/audit.ts';
import { findOwner } from '../../history/queries.ts';
import { AUDITED } from '../../projections/audit/projection.ts';
import { authorize } from '../auth/authorize.ts';
import type { ApiDeps } from '../deps.ts';
import { instantQuery, PageQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { Entry, viewEntry } from './view.ts';

const AuditQuery = PageQuery.extend({
  actor: text(1, 200).optional().describe('Such as `master`, or `application_secret:<id>`.'),
  type: z.enum(AUDITED).optional(),
  from: instantQuery().optional().describe('Recorded then or later.'),
  to: instantQuery().optional().describe('Recorded before.'),
});
const AuditEntry = Entry.extend({
  object: z.enum(['application', 'event_type', 'subscription']),
  object_id: z.string().describe('Its id, or the name of an event type.'),
});

export const auditRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, reader, partitions } = deps;

    app.get(
      '/applications/:application_id/audit',
      operation(
        {
          id: 'listAudit',
          tag: 'Applications',
          summary: 'List what was changed of an application',
          description:
            'Its name, secrets, event types and subscriptions, newest first; of a deleted application, too. A page may be short, even empty, and still have a next one.',
          problems: ['InvalidCursor', 'InvalidDateRange'],
        },
        {
          params: z.object({ application_id: uuid() }),
          querystring: AuditQuery,
          response: { 200: z.array(AuditEntry) },
        },
      ),
      async (request, reply) => {
        const { query } = request;
        const { actor, type, from, to } = query;
        const id = request.params.application_id;
        if (from && to && from > to) throw new Problem('InvalidDateRange', '`from` is later than `to`.');
        const owner = await findOwner(reader, `application:${id}`, partitionOf(id, partitions));
        if (!owner) throw notFound('application', id);
        authorize(request.principal, 'application:get', { ...owner, named: { what: 'application', id } });
        const page = await listAudit({ db: pool, reader }, id, { actor, type, from, to, ...pageRequest(query) });
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map((entry) => ({ ...viewEntry(entry), object: entry.object, object_id: entry.objectId }));
      },
    );
  };
