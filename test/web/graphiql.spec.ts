import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '#test/support/browser.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

let service: TestService;
let browser: TestBrowser;
beforeAll(async () => {
  [service, browser] = await Promise.all([startTestService(), startBrowser()]);
});
afterAll(() => Promise.all([service.stop(), browser.close()]));

it('GraphiQL and the reference work under their policies, which are never broken', async () => {
  const page = await browser.stranger();
  await page.goto(`${service.address}/graphiql`);
  await page.fill('#token', service.masterKey);
  await page.click('button[type=submit]');
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window', { hasText: '"viewer"' }).waitFor();
  await page.getByLabel('Show Documentation Explorer').click();
  await page.locator('.graphiql-doc-explorer', { hasText: 'Docs' }).waitFor();
  await page.getByLabel('Open settings dialog').click();
  await page.locator('.graphiql-dialog').waitFor();
  const width = await page.evaluate<number>("document.querySelector('.graphiql-dialog').offsetWidth");
  expect(width).toBeLessThan(1_000);
  await page.goto(`${service.address}/docs`);
  await page.locator('article').first().waitFor();
  const font = await page.evaluate<string>('getComputedStyle(document.body).fontFamily');
  expect(font).toContain('system-ui');
  expect(browser.complaints).toEqual([]);
});
