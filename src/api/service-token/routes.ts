import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ACTIONS, type Action, whyNoAction } from '../../domain/access/actions.ts';
import { uuidv7 } from '../../domain/event/ids.ts';
import { notFound } from '../../domain/refusals.ts';
import { findOrganization } from '../../projections/configuration/queries.ts';
import { findServiceToken, listServiceTokens, type ServiceTokenRecord } from '../../projections/identity/queries.ts';
import { attenuate } from '../../tokens/attenuate.ts';
import { inspect } from '../../tokens/inspect.ts';
import { TokenRefused } from '../../tokens/refused.ts';
import { createGuessLimits } from '../account/limits.ts';
import { authorize, maySeeSecrets, requireFreshPassword } from '../auth/authorize.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { instantQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { entries, text, uuid } from '../http/strings.ts';
import { invalidField, isRefusal } from '../problems.ts';

const Owner = z.object({ organization_id: uuid() });
const TokenParams = z.object({ token_id: uuid() });
const Body = Owner.extend({ name: text(1, 50) });
const ServiceToken = z.object({
  token_id: z.string(),
  organization_id: z.string(),
  name: z.string(),
  biscuit: z
    .string()
    .nullable()
    .describe(
      'The token itself; null for who has not given the password within ten minutes, and when it was destroyed.',
    ),
  revocation_id: z.string().describe('Of its first block, in hex.'),
  created_at: z.string(),
  last_used_at: z.string().nullable().describe('To the minute.'),
});
const ActionName = z.enum(ACTIONS, {
  error: ({ input }) => (typeof input === 'string' ? whyNoAction(input) : 'must be the name of an action'),
});
const Restrictions = z.object({
  application_id: uuid().optional(),
  actions: z.array(ActionName).min(1).max(ACTIONS.length).optional(),
  subscription_ids: z.array(uuid()).min(1).max(20).optional(),
  event_types: z.array(text(1, 200)).min(1).max(20).optional(),
  labels: entries('labels', 1).optional(),
  expires_at: instantQuery().optional(),
  datalog: text(1, 1_024).optional().describe('Checks in Biscuit Datalog, such as `check if action("event:ingest");`.'),
});
const Attenuated = z.object({ biscuit: z.string(), revocation_ids: z.array(z.string()) });
const Inspected = z.object({
  kind: z.string().nullable(),
  is_sealed: z.boolean(),
  is_genuine: z.boolean().describe('Its signatures hold under a key of this instance, and it has not expired.'),
  is_live: z.boolean().describe('Genuine, and neither it nor one of its blocks was revoked.'),
  why_not: z.string().nullable(),
  blocks: z.array(z.object({ revocation_id: z.string(), datalog: z.string().nullable() })),
});
const Question = Owner.extend({
  biscuit: text(1, 4_096),
  action: ActionName,
  application_id: uuid().optional(),
  subscription_id: uuid().optional(),
  event_types: z.array(text(1, 200)).max(20).optional(),
  labels: entries('labels', 0).optional(),
});
const Verdict = z.object({ is_allowed: z.boolean(), why: z.string().nullable() });

/** Biscuits for machines: made here, restricted here or offline by whoever holds one, revoked here. */
export const serviceTokenRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, vault, tokens, now, authenticate } = deps;
    const commands = createCommands(deps);
    const limits = createGuessLimits(deps);

    const show = async (
      { principal }: FastifyRequest,
      action: Action,
      records: readonly ServiceTokenRecord[],
    ): Promise<z.output<typeof ServiceToken>[]> => {
      const shown = records.filter(({ organizationId, tokenId: serviceTokenId }) =>
        maySeeSecrets(principal, action, { organizationId, serviceTokenId }, now()),
      );
      const opened = await vault.open(shown.map(({ tokenId }) => tokenId));
      return records.map((record) => ({
        token_id: record.tokenId,
        organization_id: record.organizationId,
        name: record.name,
        biscuit: opened.get(record.tokenId) ?? null,
        revocation_id: record.revocationId,
        created_at: record.createdAt.toISOString(),
        last_used_at: record.lastUsedAt?.toISOString() ?? null,
      }));
    };

    /** One that the request may do this to. */
    const load = async (
      { principal }: FastifyRequest,
      action: Action,
      tokenId: string,
      given: string | undefined,
    ): Promise<ServiceTokenRecord> => {
      const found = await findServiceToken(pool, tokenId);
      if (!found || (given !== undefined && given !== found.organizationId)) throw notFound('service token', tokenId);
      const { organizationId } = found;
      const named = { what: 'service token', id: tokenId };
      authorize(principal, action, { organizationId, serviceTokenId: tokenId, named });
      return found;
    };

    app.get(
      '/service_token',
      operation(
        {
          id: 'listServiceTokens',
          tag: 'Service tokens',
          summary: 'List the service tokens of an organization',
          problems: ['InvalidCursor', 'NotFound'],
        },
        { querystring: PageQuery.extend(Owner.shape), response: { 200: z.array(ServiceToken) } },
      ),
      async (request, reply) => {
        const organizationId = request.query.organization_id;
        authorize(request.principal, 'service_token:list', { organizationId });
        if (!(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        const page = await listServiceTokens(pool, organizationId, pageRequest(request.query));
        linkNext(request, reply, config.publicUrl, page);
        return show(request, 'service_token:list', page.rows);
      },
    );

    app.post(
      '/service_token',
      operation(
        {
          id: 'createServiceToken',
          tag: 'Service tokens',
          summary: 'Make a service token',
          description:
            'It may do all that an editor may, in its organization alone, until it is revoked. Restrict it before it is given away.',
          problems: ['NotFound', 'ReauthenticationNeeded'],
        },
        { body: Body, response: { 201: ServiceToken } },
      ),
      async (request, reply) => {
        const { organization_id: organizationId, name } = request.body;
        authorize(request.principal, 'service_token:create', { organizationId });
        requireFreshPassword(request.principal, now());
        if (!(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        const createdAt = now();
        const tokenId = uuidv7(createdAt.getTime());
        const { token, revocationId } = tokens.mintService({ tokenId, organizationId, createdAt });
        await commands.serviceToken(
          request,
          { type: 'CreateServiceToken', data: { tokenId, organizationId, name, revocationId } },
          [await vault.seal({ organizationId, sealedId: tokenId, plain: token })],
        );
        return reply.code(201).send({
          token_id: tokenId,
          organization_id: organizationId,
          name,
          biscuit: token,
          revocation_id: revocationId,
          created_at: createdAt.toISOString(),
          last_used_at: null,
        });
      },
    );

    app.get(
      '/service_token/:token_id',
      operation(
        { id: 'getServiceToken', tag: 'Service tokens', summary: 'Read a service token' },
        { params: TokenParams, querystring: Owner.partial(), response: { 200: ServiceToken } },
      ),
      async (request) => {
        const { token_id: tokenId } = request.params;
        const [shown] = await show(request, 'service_token:get', [
          await load(request, 'service_token:get', tokenId, request.query.organization_id),
        ]);
        if (!shown) throw notFound('service token', tokenId);
        return shown;
      },
    );

    app.put(
      '/service_token/:token_id',
      operation(
        { id: 'editServiceToken', tag: 'Service tokens', summary: 'Rename a service token' },
        { params: TokenParams, body: Body.partial({ organization_id: true }), response: { 200: ServiceToken } },
      ),
      async (request) => {
        const { token_id: tokenId } = request.params;
        const { organization_id: given, name } = request.body;
        const found = await load(request, 'service_token:edit', tokenId, given);
        const { organizationId } = found;
        await commands.serviceToken(request, { type: 'RenameServiceToken', data: { tokenId, organizationId, name } });
        const [shown] = await show(request, 'service_token:edit', [{ ...found, name }]);
        if (!shown) throw notFound('service token', tokenId);
        return shown;
      },
    );

    app.delete(
      '/service_token/:token_id',
      operation(
        {
          id: 'revokeServiceToken',
          tag: 'Service tokens',
          summary: 'Revoke a service token',
          description:
            'It and all that was made of it open nothing any more: at once in this process, within two seconds in all others.',
        },
        { params: TokenParams, querystring: Owner.partial(), response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { token_id: tokenId } = request.params;
        const { organizationId } = await load(request, 'service_token:delete', tokenId, request.query.organization_id);
        await commands.serviceToken(request, { type: 'RevokeServiceToken', data: { tokenId, organizationId } });
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/service_token/:token_id/revoke_block',
      operation(
        {
          id: 'revokeServiceTokenBlock',
          tag: 'Service tokens',
          summary: 'Revoke what was made of a service token',
          description: 'All tokens that hold the block, by its revocation id; the token itself goes on.',
        },
        {
          params: TokenParams,
          body: z.object({ revocation_id: z.string().regex(/^[0-9a-f]{64,256}$/, 'must be the hex id of a block') }),
          response: { 204: NoContent },
        },
      ),
      async (request, reply) => {
        const { token_id: tokenId } = request.params;
        const { revocation_id: revocationId } = request.body;
        const { organizationId, revocationId: own } = await load(request, 'service_token:delete', tokenId, undefined);
        if (revocationId === own)
          throw invalidField('revocation_id', 'service-token', 'is that of the token itself; delete the token instead');
        await commands.serviceToken(request, {
          type: 'RevokeServiceTokenBlock',
          data: { tokenId, organizationId, revocationId },
        });
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/service_token/:token_id/attenuate',
      operation(
        {
          id: 'attenuateServiceToken',
          tag: 'Service tokens',
          summary: 'Make a restricted token of a service token',
          description:
            'The same that `posthorn token attenuate` does offline, sixty times a minute for an organization. Nothing of it is kept: whoever wants to revoke it alone keeps its revocation id.',
          problems: ['ReauthenticationNeeded'],
        },
        { params: TokenParams, body: Restrictions, response: { 201: Attenuated } },
      ),
      async (request, reply) => {
        const { token_id: tokenId } = request.params;
        const { organizationId } = await load(request, 'service_token:get', tokenId, undefined);
        requireFreshPassword(request.principal, now());
        if (request.principal.kind !== 'master') await limits.attenuation(organizationId);
        const token = (await vault.open([tokenId])).get(tokenId);
        if (token === undefined) throw notFound('service token', tokenId);
        const { body } = request;
        const biscuit = refusing(() =>
          attenuate(token, {
            applicationId: body.application_id,
            actions: body.actions,
            subscriptionIds: body.subscription_ids,
            eventTypes: body.event_types,
            labels: body.labels,
            expiresAt: body.expires_at,
            datalog: body.datalog,
          }),
        );
        const revocationIds = inspect(biscuit, { showsRefused: false }).blocks.map(({ revocationId }) => revocationId);
        return reply.code(201).send({ biscuit, revocation_ids: revocationIds });
      },
    );

    app.post(
      '/service_token/inspect',
      operation(
        {
          id: 'inspectToken',
          tag: 'Service tokens',
          summary: 'Read what a token holds',
          description:
            'Of any token; whoever holds one can read it. Datalog beyond what this instance evaluates is null: `posthorn token inspect` shows it.',
        },
        { body: z.object({ biscuit: text(1, 4_096) }), response: { 200: Inspected } },
      ),
      async (request) => {
        const { biscuit } = request.body;
        const found = refusing(() => inspect(biscuit, { showsRefused: false }));
        let whyNot: string | null = null;
        let isGenuine = true;
        try {
          tokens.verify(biscuit, now());
        } catch (error) {
          if (!(error instanceof TokenRefused)) throw error;
          isGenuine = false;
          whyNot = error.message;
        }
        const isLive = isGenuine && (await isOpen(`Bearer ${biscuit}`));
        return {
          kind: found.kind ?? null,
          is_sealed: found.isSealed,
          is_genuine: isGenuine,
          is_live: isLive,
          why_not: whyNot ?? (isLive ? null : 'It was revoked, or its session is over.'),
          blocks: found.blocks.map(({ revocationId, source }) => ({
            revocation_id: revocationId,
            datalog: source ?? null,
          })),
        };
      },
    );

    const isOpen = async (authorization: string): Promise<boolean> => {
      try {
        await authenticate(authorization);
        return true;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return false;
      }
    };

    app.post(
      '/service_token/check',
      operation(
        {
          id: 'checkToken',
          tag: 'Service tokens',
          summary: 'Ask whether a token may do something',
          description: 'By the very decision that requests go through. Nothing is done, and nothing recorded.',
        },
        { body: Question, response: { 200: Verdict } },
      ),
      async (request) => {
        const { body } = request;
        const organizationId = body.organization_id;
        authorize(request.principal, 'service_token:list', { organizationId });
        try {
          const principal = await authenticate(`Bearer ${body.biscuit}`);
          authorize(principal.kind === 'master' ? principal : { ...principal, refused: () => undefined }, body.action, {
            organizationId,
            applicationId: body.application_id,
            subscriptionId: body.subscription_id,
            eventTypes: body.event_types,
            labels: body.labels,
          });
          return { is_allowed: true, why: null };
        } catch (error) {
          if (!isRefusal(error)) throw error;
          return { is_allowed: false, why: error.message };
        }
      },
    );
  };

/** What cannot be read or made of a token, as a finding about the request. */
const refusing = <T>(attempt: () => T): T => {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof TokenRefused) throw invalidField('biscuit', error.reason, error.message);
    throw error;
  }
};
