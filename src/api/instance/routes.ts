import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { notFound } from '../../domain/refusals.ts';
import type { ApiDeps } from '../deps.ts';
import { operation } from '../http/operation.ts';
import { PROBLEM_IDS, PROBLEMS, Problem, problemDocument } from '../problems.ts';
import { instanceLimits } from '../quota/limits.ts';

const PASSWORD_LENGTH_MIN = 12;
const HEALTH_TIMEOUT_MS = 5_000;
const CONTENT_TYPES = ['text/plain', 'application/json', 'application/octet-stream+base64'] as const;

const Instance = z.object({
  biscuit_public_key: z.string().describe('Hex.'),
  registration_disabled: z.boolean(),
  password_minimum_length: z.int(),
  auto_db_migration: z.boolean(),
  application_secret_compatibility: z.boolean(),
  quota_enforcement: z.boolean(),
  matomo: z.null(),
  formbricks: z.null(),
  support_email_address: z.string(),
  cloudflare_turnstile_site_key: z.null(),
  version: z.string(),
});
const Quotas = z.object({
  enabled: z.boolean(),
  limits: z.object({
    global_members_per_organization_limit: z.int(),
    global_applications_per_organization_limit: z.int(),
    global_events_per_day_limit: z.int(),
    global_days_of_events_retention_limit: z.int(),
    global_subscriptions_per_application_limit: z.int(),
    global_event_types_per_application_limit: z.int(),
  }),
});
const ProblemItem = z.object({
  type: z.string(),
  id: z.enum(PROBLEM_IDS),
  title: z.string(),
  detail: z.string(),
  status: z.int(),
  validation: z.null(),
});
const Health = z.object({
  database: z.boolean(),
  database_duration_ms: z.int(),
  total_duration_ms: z.int(),
});

/** What this installation is and allows; needs no token. */
export const instanceRoutes =
  ({ config, version, instancePool, publicKeys, healthKey }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const about = { tag: 'Instance', isPublic: true } as const;

    app.get(
      '/instance',
      operation(
        { ...about, id: 'getInstance', summary: 'Read what this installation is' },
        { response: { 200: Instance } },
      ),
      async () => ({
        biscuit_public_key: publicKeys[0]?.hex ?? '',
        registration_disabled: !config.registration,
        password_minimum_length: PASSWORD_LENGTH_MIN,
        auto_db_migration: true,
        application_secret_compatibility: true,
        quota_enforcement: config.quotas.enabled,
        matomo: null,
        formbricks: null,
        support_email_address: config.supportEmail ?? '',
        cloudflare_turnstile_site_key: null,
        version,
      }),
    );

    app.get(
      '/quotas',
      operation({ ...about, id: 'getQuotas', summary: 'Read the limits' }, { response: { 200: Quotas } }),
      async () => {
        const limits = instanceLimits(config.quotas);
        return {
          enabled: config.quotas.enabled,
          limits: {
            global_members_per_organization_limit: limits.members,
            global_applications_per_organization_limit: limits.applications,
            global_events_per_day_limit: limits.eventsPerDay,
            global_days_of_events_retention_limit: limits.retentionDays,
            global_subscriptions_per_application_limit: limits.subscriptions,
            global_event_types_per_application_limit: limits.eventTypes,
          },
        };
      },
    );

    app.get(
      '/errors',
      operation(
        { ...about, id: 'listErrors', summary: 'List every problem this API can answer' },
        { response: { 200: z.array(ProblemItem) } },
      ),
      async () =>
        PROBLEM_IDS.map((id) => ({ ...problemDocument(new Problem(id, PROBLEMS[id].advice)), validation: null })),
    );

    app.get(
      '/payload_content_types',
      operation(
        { ...about, id: 'listPayloadContentTypes', summary: 'List the content types a payload may have' },
        { response: { 200: z.array(z.string()) } },
      ),
      async () => [...CONTENT_TYPES],
    );

    app.get(
      '/health',
      operation(
        {
          ...about,
          id: 'getHealth',
          summary: 'Ask whether the service can work',
          description: 'Open only where a health key is configured, and to those who know it; an empty key is public.',
          problems: ['Forbidden', 'NotFound'],
        },
        {
          querystring: z.object({ key: z.string().max(500).default('') }),
          response: { 200: Health, 503: Health },
        },
      ),
      async (request, reply) => {
        if (healthKey === undefined) throw notFound('health check', 'on this instance');
        const [given, wanted] = [request.query.key, healthKey].map((key) => hash('sha256', key, 'buffer'));
        if (healthKey !== '' && !(given && wanted && timingSafeEqual(given, wanted)))
          throw new Problem('Forbidden', 'The health key is another one.');
        const startedAt = performance.now();
        const timeout = new Promise<boolean>((resolve) => setTimeout(resolve, HEALTH_TIMEOUT_MS, false).unref());
        const answered = instancePool.query('SELECT 1').then(
          () => true,
          () => false,
        );
        const database = await Promise.race([answered, timeout]);
        const elapsed = Math.round(performance.now() - startedAt);
        return reply
          .code(database ? 200 : 503)
          .send({ database, database_duration_ms: elapsed, total_duration_ms: elapsed });
      },
    );
  };

const Keys = z.object({
  keys: z.array(
    z.object({
      key_id: z.string(),
      algorithm: z.literal('ed25519'),
      public_key: z.string().describe('`whpk_` and base64.'),
      is_signing: z.boolean().describe('The newest one signs; the others verify what was signed before.'),
    }),
  ),
});

/** Where receivers find the keys that verify `v1a` signatures; at the root, not below `/api/v1`. */
export const publishedKeysRoutes =
  ({ publicKeys }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/.well-known/posthorn-keys.json',
      operation(
        { id: 'listPublicKeys', tag: 'Instance', isPublic: true, summary: 'List the keys that verify signatures' },
        { response: { 200: Keys } },
      ),
      async () => ({
        keys: publicKeys.map(({ id, whpk }, index) => ({
          key_id: id,
          algorithm: 'ed25519' as const,
          public_key: whpk,
          is_signing: index === 0,
        })),
      }),
    );
  };
