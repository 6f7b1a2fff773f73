import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Application } from '../../domain/application/decider.ts';
import { DomainError } from '../../domain/errors.ts';
import { findApplicationSecret, listApplicationSecrets } from '../../projections/configuration/queries.ts';
import { maySeeSecrets, requireFreshPassword } from '../auth/authorize.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { ApplicationQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { applicationFor } from '../scope.ts';
import { createSecret, tokenSha256 } from './create.ts';

const SecretBody = z.object({
  application_id: uuid().optional().describe('May be left out with the secret of an application.'),
  name: text(1, 50).nullish(),
});
const SecretParams = z.object({ token: uuid().describe('The token itself, or the id of the secret.') });
const Secret = z.object({
  secret_id: z.string().describe('Names the secret without opening anything.'),
  name: z.string().nullable(),
  token: z
    .string()
    .nullable()
    .describe('The bearer token itself; null for who has not given the password within ten minutes.'),
  created_at: z.string(),
  deleted_at: z.string().nullable(),
});

/** Says nothing of the token it was asked for: it may be one that is still good elsewhere. */
const unknownSecret = (): DomainError =>
  new DomainError('NotFound', 'The application has no such secret. List its secrets to see which it has.');

/** `named` is the token or the id; both are random, so that none is taken for the other. */
const secretIdOf = (state: Application, named: string): string => {
  const sha256 = tokenSha256(named);
  const secrets = state.status === 'active' ? [...state.secrets] : [];
  const found = secrets.find(([id, secret]) => (secret.tokenSha256 === sha256 || id === named) && !secret.isDeleted);
  if (!found) throw unknownSecret();
  return found[0];
};

export const applicationSecretRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, vault, now } = deps;
    const commands = createCommands(deps);

    app.get(
      '/application_secrets',
      operation(
        {
          id: 'listApplicationSecrets',
          tag: 'Application secrets',
          summary: 'List the secrets of an application',
          problems: ['InvalidCursor', 'NotFound'],
        },
        { querystring: PageQuery.extend(ApplicationQuery.shape), response: { 200: z.array(Secret) } },
      ),
      async (request, reply) => {
        const { query } = request;
        const application = await applicationFor(pool, request, 'application_secret:list', query.application_id);
        const { applicationId, organizationId } = application;
        const page = await listApplicationSecrets(pool, applicationId, pageRequest(query));
        const isShown = maySeeSecrets(request.principal, organizationId, now());
        const tokens = await vault.open(page.rows.map(({ secretId }) => secretId));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.flatMap(({ secretId, name, createdAt }) => {
          const token = tokens.get(secretId);
          // Its sealed value was destroyed: it cannot be shown, and the routes that name secrets name them by token.
          return token === undefined
            ? []
            : [
                {
                  secret_id: secretId,
                  name,
                  token: isShown ? token : null,
                  created_at: createdAt.toISOString(),
                  deleted_at: null,
                },
              ];
        });
      },
    );

    app.post(
      '/application_secrets',
      operation(
        {
          id: 'createApplicationSecret',
          tag: 'Application secrets',
          summary: 'Create a secret for an application',
          problems: ['NotFound', 'ReauthenticationNeeded'],
        },
        { body: SecretBody, response: { 201: Secret } },
      ),
      async (request, reply) => {
        const { application_id: given, name = null } = request.body;
        const application = await applicationFor(pool, request, 'application_secret:create', given);
        requireFreshPassword(request.principal, now());
        const { applicationId, organizationId } = application;
        const secret = await createSecret(deps, { applicationId, organizationId, name });
        const { events } = await commands.application(request, applicationId, () => [secret.command], [secret.write]);
        const createdAt = String(events[0]?.data.createdAt);
        const { secretId, token } = secret;
        return reply.code(201).send({ secret_id: secretId, name, token, created_at: createdAt, deleted_at: null });
      },
    );

    app.put(
      '/application_secrets/:token',
      operation(
        { id: 'editApplicationSecret', tag: 'Application secrets', summary: 'Rename a secret' },
        { params: SecretParams, body: SecretBody, response: { 200: Secret } },
      ),
      async (request) => {
        const { token: named } = request.params;
        const { application_id: given, name = null } = request.body;
        const application = await applicationFor(pool, request, 'application_secret:edit', given);
        const { applicationId, organizationId } = application;
        let secretId = '';
        await commands.application(request, applicationId, (state) => {
          secretId = secretIdOf(state, named);
          return [{ type: 'RenameApplicationSecret', data: { applicationId, secretId, name } }];
        });
        const found = await findApplicationSecret(pool, applicationId, secretId);
        if (!found) throw unknownSecret();
        const isShown = maySeeSecrets(request.principal, organizationId, now());
        const token = isShown ? ((await vault.open([secretId])).get(secretId) ?? '') : null;
        return { secret_id: secretId, name, token, created_at: found.createdAt.toISOString(), deleted_at: null };
      },
    );

    app.delete(
      '/application_secrets/:token',
      operation(
        {
          id: 'deleteApplicationSecret',
          tag: 'Application secrets',
          summary: 'Delete a secret',
          description: 'It opens nothing any more: at once in this process, within two seconds in all others.',
        },
        { params: SecretParams, querystring: ApplicationQuery, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { token } = request.params;
        const { applicationId } = await applicationFor(
          pool,
          request,
          'application_secret:delete',
          request.query.application_id,
        );
        await commands.application(request, applicationId, (state) => [
          { type: 'DeleteApplicationSecret', data: { applicationId, secretId: secretIdOf(state, token) } },
        ]);
        return reply.code(204).send(null);
      },
    );
  };
