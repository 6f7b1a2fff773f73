import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestService, type TestService } from '../../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

it('is a page of our own files alone, under a policy that allows no others', async () => {
  const page = await service.get('//graphiql', null);
  expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toMatch(/unsafe|http|\*/);
  expect(page.text).not.toMatch(/<script(?![^>]* src=)|<style| on[a-z]+=|style=/);
  const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
  expect(files).toHaveLength(7);
  for (const file of files.filter((one) => one !== 'data:,')) {
    expect(file).toMatch(/^\/graphiql\/[a-z-]+\.(js|css)$/);
    const served = await service.get(`/${file}`, null);
    expect([file, served.status, served.headers['content-type']]).toEqual([
      file,
      200,
      file.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/css; charset=utf-8',
    ]);
  }
});
