import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestService, type TestService } from '#test/support/service.ts';

const PAGE = readFileSync(new URL('../../docs/hook0.md', import.meta.url), 'utf8');

/** What a client of Hook0 may call, without the base. */
const ROUTES: Readonly<Record<string, string>> = {
  '/register': 'post',
  '/auth/login': 'post',
  '/auth/refresh': 'post',
  '/auth/logout': 'post',
  '/auth/verify-email': 'post',
  '/auth/resend-verification-email': 'post',
  '/auth/begin-reset-password': 'post',
  '/auth/reset-password': 'post',
  '/auth/password': 'post',
  '/email-preferences/unsubscribe-reactivation': 'post',
  '/instance': 'get',
  '/quotas': 'get',
  '/environment_variables': 'get',
  '/health': 'get',
  '/errors': 'get',
  '/payload_content_types': 'get',
  '/organizations': 'get post',
  '/organizations/{}': 'get put delete',
  '/organizations/{}/invite': 'post put delete',
  '/applications': 'get post',
  '/applications/{}': 'get put delete',
  '/application_secrets': 'get post',
  '/application_secrets/{}': 'put delete',
  '/service_token': 'get post',
  '/service_token/{}': 'get put delete',
  '/event_types': 'get post',
  '/event_types/{}': 'get delete',
  '/event': 'post',
  '/events': 'get',
  '/events/{}': 'get',
  '/events/{}/replay': 'post',
  '/events_per_day/application': 'get',
  '/events_per_day/organization': 'get',
  '/subscriptions': 'get post',
  '/subscriptions/{}': 'get put delete',
  '/request_attempts': 'get',
  '/request_attempts/{}': 'get',
  '/responses/{}': 'get',
};
/** Of the problem ids that the page names, those of Hook0 that it says are never answered. */
const NEVER = ['AuthApplicationSecretLookupError', 'AuthBiscuitLookupError', 'InvitedUserDoesNotExist'];

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

it('every route of Hook0 is there', async () => {
  const { paths } = (await service.get('/swagger.json', null)).json;
  const offered = new Set(
    Object.entries<object>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path.replaceAll(/\{[^}]*\}/g, '{}')}`),
    ),
  );
  const wanted = Object.entries(ROUTES).flatMap(([path, methods]) =>
    methods.split(' ').map((method) => `${method} /api/v1${path}`),
  );
  expect(wanted.filter((route) => !offered.has(route))).toEqual([]);
});

it('names problems that are answered, but for those that are not', async () => {
  const known = (await service.get('/errors', null)).json.map(({ id }: { id: string }) => id);
  const named = [
    ...new Set([...PAGE.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+|Forbidden|Validation)`/g)].map(([, id]) => id)),
  ];
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((id) => !known.includes(id)).sort()).toEqual(NEVER);
});
