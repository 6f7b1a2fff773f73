import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import { DomainError } from '../../domain/errors.ts';
import { uuidv7 } from '../../domain/event/ids.ts';
import { TEST_METADATA } from '../../domain/event/test-event.ts';
import { sameJson } from '../../domain/same-json.ts';
import type { SubscriptionSettings } from '../../domain/subscription/events.ts';
import { addressRules } from '../../domain/target/address.ts';
import type { Write } from '../../eventstore/types.ts';
import { listSubscriptionsAsOf } from '../../projections/configuration/as-of.ts';
import {
  findSubscription,
  listSubscriptions,
  type SubscriptionRecord,
} from '../../projections/configuration/queries.ts';
import { maySeeSecrets, requireFreshPassword } from '../auth/authorize.ts';
import { createCommands } from '../commands.ts';
import { readDelivery } from '../delivery/history.ts';
import { Delivery, viewDelivery } from '../delivery/view.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { invalidField } from '../problems.ts';
import { requireSubscriptions } from '../quota/count.ts';
import { applicationFor, subscriptionFor } from '../scope.ts';
import { labelsOf, replacementBody, type SubscriptionBody, subscriptionBody } from './body.ts';
import { createSendTestEvent } from './test-event.ts';
import { maskSubscription, openHeaders, SEALED, Subscription, viewSubscriptions } from './view.ts';

const OVERLAP_SECONDS = 86_400;
const OVERLAP_SECONDS_MAX = 30 * 86_400;

const PAST_SECRETS = 'With `as_of`, secrets and the values of headers are empty: the past shows none.';

const SubscriptionParams = z.object({ subscription_id: uuid() });
const EnabledBody = z.object({ is_enabled: z.boolean() });
const TestBody = z
  .object({
    event_type: text(1, 200)
      .optional()
      .describe('One that the application has; the first that the subscription names when it is left out.'),
    payload: z.string().optional().describe('JSON text; a small sample when it is left out.'),
  })
  .nullish();
const RotateBody = z
  .object({
    application_id: uuid().optional(),
    overlap_seconds: z
      .int()
      .min(0)
      .max(OVERLAP_SECONDS_MAX)
      .default(OVERLAP_SECONDS)
      .describe('How long the secret before goes on signing beside the new one.'),
  })
  .nullish();

/** Header values with those that are to be kept put in; throws a Validation problem for one that is not there. */
const keptHeaders = (
  given: Readonly<Record<string, string | null>>,
  present: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const kept = value ?? (Object.hasOwn(present, name) ? present[name] : undefined);
      if (kept === undefined)
        throw invalidField('target.headers', 'subscription-target-http-headers-value', `${name} has no value to keep`);
      return [name, kept];
    }),
  );

const keepsValues = ({
  target,
}: {
  readonly target: { readonly headers: Readonly<Record<string, string | null>> };
}): boolean => Object.values(target.headers).includes(null);
const isSameOrigin = (one: string, other: string): boolean =>
  URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;

export const subscriptionRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, ownEndpoints, vault, configuration, publicKeys, reader, now, limitsOf } = deps;
    const commands = createCommands(deps);
    const sendTestEvent = createSendTestEvent(deps);
    const rules = {
      addresses: addressRules({ allowCidrs: config.allowTargetCidrs, ownEndpoints }),
      allowHttp: config.allowHttpTargets,
      deniedPorts: new Set(config.denyTargetPorts),
      builtInReceiver: config.builtInReceiver,
    };
    const Body = subscriptionBody(rules, config.signatureHeader);
    const Replacement = replacementBody(rules, config.signatureHeader);
    const publicKey = publicKeys[0]?.whpk ?? '';

    const view = async (record: SubscriptionRecord): Promise<Subscription> => {
      const [shown] = await viewSubscriptions(vault, publicKey, [record], now());
      if (!shown) throw new Error(`Subscription ${record.subscriptionId} cannot be shown.`);
      return shown;
    };

    /** With what whoever asks may see. */
    const viewFor = async (
      { principal }: FastifyRequest,
      action: Action,
      record: SubscriptionRecord,
    ): Promise<Subscription> => {
      const shown = await view(record);
      return maySeeSecrets(principal, action, record, now()) ? shown : maskSubscription(shown);
    };

    const findNow = async (subscriptionId: string): Promise<SubscriptionRecord> => {
      const record = await findSubscription(pool, subscriptionId);
      if (!record) throw new DomainError('NotFound', `Subscription ${subscriptionId} was deleted meanwhile.`);
      return record;
    };

    /** A name that exists in no application matches nothing for ever: most likely a slip of the pen. */
    const checkEventTypes = async (applicationId: string, names: readonly string[]): Promise<void> => {
      const known = (await configuration.freshApplication(applicationId))?.eventTypes;
      const unknown = names.find((name) => !name.includes('*') && known?.has(name) !== true);
      if (unknown !== undefined)
        throw new DomainError(
          'EventTypeDoesNotExist',
          `Application ${applicationId} has no active event type ${unknown}; create it with POST /api/v1/event_types first.`,
        );
    };

    /** Header values are sealed anew only when they changed: else each replacement would look like one. */
    const settingsOf = async (
      body: SubscriptionBody,
      organizationId: string,
      before: SubscriptionRecord | undefined,
    ): Promise<{ settings: SubscriptionSettings; writes: Write[] }> => {
      const { headers: given, ...target } = body.target;
      const headerNames = Object.keys(given);
      const sealedBefore = before?.settings.target.sealedHeadersId ?? null;
      let sealedHeadersId: string | null = null;
      const writes: Write[] = [];
      if (headerNames.length > 0) {
        const opened = sealedBefore === null ? new Map<string, string>() : await vault.open([sealedBefore]);
        const present = before && opened.size > 0 ? openHeaders(before.settings, opened) : {};
        const headers = keptHeaders(given, present);
        const isSame = before && opened.size > 0 && sameJson(present, headers);
        sealedHeadersId = isSame ? sealedBefore : randomUUID();
        if (sealedHeadersId !== null && !isSame)
          writes.push(await vault.seal({ organizationId, sealedId: sealedHeadersId, plain: JSON.stringify(headers) }));
      }
      const settings: SubscriptionSettings = {
        isEnabled: body.is_enabled,
        eventTypes: [...new Set(body.event_types)],
        description: body.description ?? null,
        labels: labelsOf(body),
        metadata: body.metadata ?? {},
        target: { ...target, headerNames, sealedHeadersId },
        retrySchedule: body.retry_schedule ?? null,
        concurrencyMax: body.concurrency_max ?? null,
        signEd25519: body.sign_ed25519 ?? false,
        dedicatedWorkers: [],
      };
      return { settings, writes };
    };

    const checkWorkers = ({ dedicated_workers: workers }: SubscriptionBody): void => {
      if (workers && workers.length > 0)
        throw new DomainError(
          'UnauthorizedWorkers',
          `The organization may not use the worker ${workers[0]}; leave \`dedicated_workers\` out.`,
        );
    };

    app.get(
      '/subscriptions',
      operation(
        {
          id: 'listSubscriptions',
          tag: 'Subscriptions',
          summary: 'List the subscriptions of an application',
          description: PAST_SECRETS,
          problems: ['InvalidAsOf', 'InvalidCursor', 'NotFound'],
        },
        {
          querystring: PageQuery.extend(ApplicationQuery.shape).extend(AsOfQuery.shape),
          response: { 200: z.array(Subscription) },
        },
      ),
      async (request, reply) => {
        const { query } = request;
        const past = await pastOf(deps, query);
        const application = await applicationFor(pool, request, 'subscription:list', query.application_id, past);
        const { applicationId, organizationId } = application;
        const page = await (past
          ? listSubscriptionsAsOf(past, applicationId, pageRequest(query))
          : listSubscriptions(pool, applicationId, pageRequest(query)));
        linkNext(request, reply, config.publicUrl, page);
        if (past) return viewSubscriptions(SEALED, publicKey, page.rows, past.cut.instant);
        const shown = await viewSubscriptions(vault, publicKey, page.rows, now());
        const resource = { organizationId, applicationId };
        const isShown = maySeeSecrets(request.principal, 'subscription:list', resource, now());
        return isShown ? shown : shown.map(maskSubscription);
      },
    );

    app.post(
      '/subscriptions',
      operation(
        {
          id: 'createSubscription',
          tag: 'Subscriptions',
          summary: 'Create a subscription',
          description: 'Every event that is accepted after the answer meets it; older ones come by replay.',
          problems: [
            'EventTypeDoesNotExist',
            'LabelsAmbiguity',
            'NotFound',
            'TooManySubscriptionsPerApplication',
            'UnauthorizedWorkers',
          ],
        },
        { body: Body, response: { 201: Subscription } },
      ),
      async (request, reply) => {
        const { body } = request;
        const application = await applicationFor(pool, request, 'subscription:create', body.application_id);
        const { applicationId, organizationId } = application;
        checkWorkers(body);
        const { settings, writes } = await settingsOf(body, organizationId, undefined);
        await checkEventTypes(applicationId, settings.eventTypes);
        const limits = await limitsOf.application({ organizationId, applicationId });
        const subscriptionId = uuidv7(now().getTime());
        const secretId = randomUUID();
        const secret = await vault.seal({ organizationId, sealedId: secretId, plain: randomUUID() });
        await commands.subscription(
          request,
          { type: 'CreateSubscription', data: { subscriptionId, applicationId, organizationId, settings, secretId } },
          [secret, ...writes],
          (run) => requireSubscriptions(run, applicationId, limits.subscriptions),
        );
        return reply.code(201).send(await view(await findNow(subscriptionId))); // Whoever made it may see it once.
      },
    );

    app.get(
      '/subscriptions/:subscription_id',
      operation(
        {
          id: 'getSubscription',
          tag: 'Subscriptions',
          summary: 'Read a subscription',
          description: PAST_SECRETS,
          problems: ['InvalidAsOf'],
        },
        {
          params: SubscriptionParams,
          querystring: ApplicationQuery.extend(AsOfQuery.shape),
          response: { 200: Subscription },
        },
      ),
      async (request) => {
        const { params, query } = request;
        const past = await pastOf(deps, query);
        const { subscription_id: id } = params;
        const found = await subscriptionFor(pool, request, 'subscription:get', id, query.application_id, past);
        if (!past) return viewFor(request, 'subscription:get', found);
        const [shown] = await viewSubscriptions(SEALED, publicKey, [found], past.cut.instant);
        if (!shown) throw new Error(`Subscription ${id} cannot be shown.`);
        return shown;
      },
    );

    app.put(
      '/subscriptions/:subscription_id',
      operation(
        {
          id: 'replaceSubscription',
          tag: 'Subscriptions',
          summary: 'Replace a subscription',
          description:
            'Sets everything; what is left out is empty then. Disabling cancels what is still owed, and enabling does not bring it back. A header value of null is kept; with a target elsewhere that takes the right to see it.',
          problems: ['EventTypeDoesNotExist', 'LabelsAmbiguity', 'ReauthenticationNeeded', 'UnauthorizedWorkers'],
        },
        { params: SubscriptionParams, body: Replacement, response: { 200: Subscription } },
      ),
      async (request) => {
        const { params, body } = request;
        const before = await subscriptionFor(
          pool,
          request,
          'subscription:edit',
          params.subscription_id,
          body.application_id,
        );
        const { subscriptionId, applicationId, organizationId } = before;
        checkWorkers(body);
        // Whoever may not see the values must not have them sent to a place of their own choice either.
        if (keepsValues(body) && !isSameOrigin(body.target.url, before.settings.target.url))
          requireFreshPassword(request.principal, now());
        const { settings, writes } = await settingsOf(body, organizationId, before);
        // Names that it lists already may have been deactivated since; they do no harm.
        const added = settings.eventTypes.filter((name) => !before.settings.eventTypes.includes(name));
        await checkEventTypes(applicationId, added);
        await commands.subscription(
          request,
          { type: 'ReplaceSubscription', data: { subscriptionId, applicationId, organizationId, settings } },
          writes,
        );
        return viewFor(request, 'subscription:edit', await findNow(subscriptionId));
      },
    );

    app.patch(
      '/subscriptions/:subscription_id',
      operation(
        {
          id: 'setSubscriptionEnabled',
          tag: 'Subscriptions',
          summary: 'Enable or disable a subscription',
          description: 'Disabling cancels what is still owed, and enabling does not bring it back.',
        },
        { params: SubscriptionParams, body: EnabledBody, response: { 200: Subscription } },
      ),
      async (request) => {
        const { params, body } = request;
        const found = await subscriptionFor(pool, request, 'subscription:edit', params.subscription_id, undefined);
        const { subscriptionId, applicationId, organizationId } = found;
        const ids = { subscriptionId, applicationId, organizationId };
        await commands.subscription(
          request,
          body.is_enabled
            ? { type: 'EnableSubscription', data: ids }
            : { type: 'DisableSubscription', data: { ...ids, reason: 'request' } },
        );
        return viewFor(request, 'subscription:edit', await findNow(subscriptionId));
      },
    );

    app.delete(
      '/subscriptions/:subscription_id',
      operation(
        {
          id: 'deleteSubscription',
          tag: 'Subscriptions',
          summary: 'Delete a subscription',
          description: 'What it is still owed is cancelled.',
        },
        { params: SubscriptionParams, querystring: ApplicationQuery, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { params, query } = request;
        const found = await subscriptionFor(
          pool,
          request,
          'subscription:delete',
          params.subscription_id,
          query.application_id,
        );
        const { subscriptionId, applicationId, organizationId } = found;
        await commands.subscription(request, {
          type: 'DeleteSubscription',
          data: { subscriptionId, applicationId, organizationId },
        });
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/subscriptions/:subscription_id/test',
      operation(
        {
          id: 'sendTestEvent',
          tag: 'Subscriptions',
          summary: 'Send a test event to one subscription',
          description: `Whether it would match or not, signed like any other. Its metadata names the subscription as \`${TEST_METADATA}\`.`,
          problems: ['EventInvalidJsonPayload', 'EventTypeDoesNotExist', 'SubscriptionInactive'],
        },
        { params: SubscriptionParams, body: TestBody, response: { 201: Delivery } },
      ),
      async (request, reply) => {
        const { params, body } = request;
        const found = await subscriptionFor(pool, request, 'subscription:get', params.subscription_id, undefined);
        const deliveryId = await sendTestEvent(request, found, {
          eventType: body?.event_type,
          payload: body?.payload,
        });
        return reply.code(201).send(viewDelivery((await readDelivery(reader, deliveryId)).delivery));
      },
    );

    app.post(
      '/subscriptions/:subscription_id/secret/rotate',
      operation(
        {
          id: 'rotateSubscriptionSecret',
          tag: 'Subscriptions',
          summary: 'Give a subscription a new secret',
          description:
            'Until the overlap ends, the Standard Webhooks signature carries both; the Hook0 signature has room for the new one only. The answer shows it, and the values of headers.',
          problems: ['ReauthenticationNeeded'],
        },
        { params: SubscriptionParams, body: RotateBody, response: { 200: Subscription } },
      ),
      async (request) => {
        const { params, body } = request;
        const found = await subscriptionFor(
          pool,
          request,
          'subscription:edit',
          params.subscription_id,
          body?.application_id,
        );
        const { subscriptionId, applicationId, organizationId } = found;
        requireFreshPassword(request.principal, now());
        const secretId = randomUUID();
        const secret = await vault.seal({ organizationId, sealedId: secretId, plain: randomUUID() });
        const overlapSeconds = body?.overlap_seconds ?? OVERLAP_SECONDS;
        await commands.subscription(
          request,
          {
            type: 'RotateSubscriptionSecret',
            data: { subscriptionId, applicationId, organizationId, secretId, overlapSeconds },
          },
          [secret],
        );
        return view(await findNow(subscriptionId));
      },
    );
  };
