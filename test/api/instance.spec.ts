import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenApi } from '#src/api/docs/openapi.ts';
import { referencePage } from '#src/api/docs/page.ts';
import { PROBLEM_IDS } from '#src/api/problems.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ POSTHORN_HEALTH_KEY: 'open sesame' });
});
afterAll(() => service.stop());

const get = (path: string) => service.get(path, null);

describe('without a token', () => {
  it('tells what it is', async () => {
    expect(await get('/instance')).toMatchObject({
      status: 200,
      json: {
        biscuit_public_key: expect.stringMatching(/^[0-9a-f]{64}$/),
        password_minimum_length: 12,
        quota_enforcement: false,
        version: '0.0.0-test',
      },
    });
    const limits = Object.values((await get('/quotas')).json.limits);
    expect(limits).toEqual(Array(6).fill(2_147_483_647));
    const types = ['text/plain', 'application/json', 'application/octet-stream+base64'];
    expect((await get('/payload_content_types')).json).toEqual(types);
  });

  it('lists every problem, and each has a place to read about it', async () => {
    const { json } = await get('/errors');
    expect(json.map(({ id }: { id: string }) => id)).toEqual(PROBLEM_IDS);
    const page = (await get('//docs/errors')).text;
    for (const { type, id } of json) {
      expect(type).toBe(`/docs/errors#${id.toLowerCase()}`);
      expect(page).toContain(`id="${id.toLowerCase()}"`);
    }
  });

  it('tells its health to those who know the key', async () => {
    expect(await get('/health')).toMatchObject({ status: 403, json: { id: 'Forbidden' } });
    expect((await get('/health?key=wrong')).status).toBe(403);
    expect(await get('/health?key=open%20sesame')).toMatchObject({ status: 200, json: { database: true } });
  });

  it('is alive, ready and measured', async () => {
    expect((await get('//livez')).json).toEqual({ status: 'ok' });
    expect((await get('//readyz')).json).toMatchObject({ status: 'ok', checks: { database: 'ok' } });
    expect(await get('//metrics')).toMatchObject({ status: 200, text: expect.stringContaining('posthorn_') });
  });
});

describe('every answer', () => {
  it.each(['/instance', '/organizations', '/nowhere', '//docs', '//livez', '//openapi.json'])(
    'to %s carries security headers',
    async (path) => {
      const { headers } = await get(path);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'x-frame-options': 'DENY',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'cache-control': path === '//docs' || path === '//openapi.json' ? 'no-cache' : 'no-store',
      });
    },
  );
});

describe('every page', () => {
  it.each(['//', '//docs', '//docs/errors', '//graphiql', '//favicon.svg', '//graphiql/start.js'])(
    '%s has a strict policy, and is for its own origin',
    async (path) => {
      const { headers } = await get(path);
      const policy = String(headers['content-security-policy']).split('; ');
      expect(policy[0]).toBe("default-src 'none'");
      expect(policy.slice(-3)).toEqual(["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"]);
      expect(policy.join()).not.toMatch(/unsafe|\*|http/);
      expect(headers).toMatchObject({
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
      });
    },
  );
});

type Doc = { paths: Record<string, Record<string, Record<string, unknown>>>; components: { schemas: object } };

describe('the reference', () => {
  it('describes every operation', async () => {
    const { json } = await get('//openapi.json');
    const document = json as Doc;
    expect(json.openapi).toBe('3.1.0');
    expect((await get('/swagger.json')).json).toEqual(json);
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    for (const operation of operations)
      expect(operation).toMatchObject({
        operationId: expect.any(String),
        summary: expect.any(String),
        tags: [expect.any(String)],
        security: expect.any(Array),
        responses: expect.objectContaining({ 500: expect.any(Object), 503: expect.any(Object) }),
      });
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, { security }] of Object.entries(methods)) {
        const { status } = await service.call(`/${path}`, { method: method.toUpperCase(), token: null });
        expect([method, path, status === 401]).toEqual([method, path, (security as unknown[]).length > 0]);
      }
  });

  it('refers to nothing that is missing', async () => {
    const { text, json } = await get('//openapi.json');
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
    for (const name of new Set(references)) expect(json.components.schemas).toHaveProperty(name ?? '');
  });

  it('is a page without scripts and without anything from elsewhere', async () => {
    const { text, headers, status } = await get('//docs');
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).not.toMatch(/<script|<iframe|\son\w+=|style="|https?:\/\//i);
    const { json } = await get('//openapi.json');
    for (const methods of Object.values((json as Doc).paths))
      for (const { operationId } of Object.values(methods)) expect(text).toContain(`<article id="${operationId}">`);
    const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    for (const id of links) expect(text).toContain(`id="${id}"`);
    expect((await get('//docs/style.css')).headers['content-type']).toContain('text/css');
  });

  it('writes what it describes as text', async () => {
    const { json } = await get('//openapi.json');
    const hostile = '"><img src=x onerror=alert(1)> & \'';
    const text = JSON.stringify(json as OpenApi).replaceAll('Ingest an event', JSON.stringify(hostile).slice(1, -1));
    const page = referencePage(JSON.parse(text));
    expect(page).not.toContain('<img');
    expect(page).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt; &amp; &#39;');
  });
});
