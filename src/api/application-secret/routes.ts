import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DomainError } from '../../domain/errors.ts';
import { listApplicationSecretsAsOf } from '../../projections/configuration/as-of.ts';
import {
  type ApplicationSecretRecord,
  findApplicationSecret,
  listApplicationSecrets,
} from '../../projections/configuration/queries.ts';
import { queryableWithin } from '../../projections/page.ts';
import { maySeeSecrets, requireFreshPassword } from '../auth/authorize.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { requireApplication } from '../quota/count.ts';
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

const toSecret = (of: ApplicationSecretRecord, token: string | null) => ({
  secret_id: of.secretId,
  name: of.name,
  token,
  created_at: of.createdAt.toISOString(),
  deleted_at: null,
});

/** Says nothing of the token it was asked for: it may be one that is still good elsewhere. */
const unknownSecret = (): DomainError =>
  new DomainError('NotFound', 'The application has no such secret. List its secrets to see which it has.');

export const applicationSecretRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, vault, now } = deps;
    const commands = createCommands(deps);

    /** `named` is the token or the id. */
    const load = async (applicationId: string, named: string): Promise<ApplicationSecretRecord> => {
      const found = await findApplicationSecret(pool, applicationId, {
        secretId: named,
        tokenSha256: tokenSha256(named),
      });
      if (!found) throw unknownSecret();
      return found;
    };

    app.get(
      '/application_secrets',
      operation(
        {
          id: 'listApplicationSecrets',
          tag: 'Application secrets',
          summary: 'List the secrets of an application',
          description: 'With `as_of`, those that there were; tokens are null: the past shows none.',
          problems: ['InvalidAsOf', 'InvalidCursor', 'NotFound'],
        },
        {
          querystring: PageQuery.extend(ApplicationQuery.shape).extend(AsOfQuery.shape),
          response: { 200: z.array(Secret) },
        },
      ),
      async (request, reply) => {
        const { query } = request;
        const past = await pastOf(deps, query);
        const application = await applicationFor(pool, request, 'application_secret:list', query.application_id, past);
        const { applicationId, organizationId } = application;
        if (past) {
          const page = await listApplicationSecretsAsOf(past, applicationId, pageRequest(query));
          linkNext(request, reply, config.publicUrl, page);
          return page.rows.map((record) => toSecret(record, null));
        }
        const page = await listApplicationSecrets(pool, applicationId, pageRequest(query));
        const resource = { organizationId, applicationId };
        const isShown = maySeeSecrets(request.principal, 'application_secret:list', resource, now());
        const tokens = await vault.open(page.rows.map(({ secretId }) => secretId));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.flatMap((record) => {
          const token = tokens.get(record.secretId);
          // Its sealed value was destroyed: it cannot be shown, and the routes that name secrets name them by token.
          return token === undefined ? [] : [toSecret(record, isShown ? token : null)];
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
        const { events } = await commands.applicationSecret(request, secret.command, [secret.write], (run) =>
          requireApplication(queryableWithin(run), applicationId),
        );
        const createdAt = String(events[0]?.data.createdAt);
        const { token } = secret;
        const { secretId } = secret.command.data;
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
        const { application_id: given, name = null } = request.body;
        const application = await applicationFor(pool, request, 'application_secret:edit', given);
        const { applicationId, organizationId } = application;
        const found = await load(applicationId, request.params.token);
        const { secretId } = found;
        const data = { applicationId, organizationId, secretId, name };
        await commands.applicationSecret(request, { type: 'RenameApplicationSecret', data });
        const resource = { organizationId, applicationId };
        const isShown = maySeeSecrets(request.principal, 'application_secret:edit', resource, now());
        const token = isShown ? ((await vault.open([secretId])).get(secretId) ?? null) : null;
        return toSecret({ ...found, name }, token);
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
        const given = request.query.application_id;
        const application = await applicationFor(pool, request, 'application_secret:delete', given);
        const { applicationId, organizationId } = application;
        const { secretId } = await load(applicationId, request.params.token);
        const data = { applicationId, organizationId, secretId };
        await commands.applicationSecret(request, { type: 'DeleteApplicationSecret', data });
        return reply.code(204).send(null);
      },
    );
  };
