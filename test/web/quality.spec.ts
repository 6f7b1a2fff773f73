import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectToFit, isSettled, startBrowser, type TestBrowser } from '#test/support/browser.ts';
import { type Seeded, seed } from './support.ts';

let browser: TestBrowser;
let seeded: Seeded;
let paths: readonly string[];
/** Forms and tables that are alike at every width and in both themes: each rule is asked of them once. */
let plainPaths: readonly string[];
beforeAll(async () => {
  [browser, seeded] = await Promise.all([startBrowser(), seed()]);
  const { service, applicationId, subscriptionId } = seeded;
  const organizationId = (await service.get(`/applications/${applicationId}`)).json.organization_id;
  const token = await service.post('/service_token', { organization_id: organizationId, name: 'Backend' });
  const schema = { type: 'object', required: ['amount'] };
  await service.post('/event_types/order.paid/schemas', { application_id: applicationId, schema });
  const lost = (await service.get(`/dead_letters?application_id=${applicationId}`)).json[0];
  paths = [
    'overview',
    'deliveries',
    'deliveries?status=CANCELLED',
    `deliveries/${lost.delivery_id}`,
    'events',
    `events/${lost.event_id}`,
    'dead-letters',
    'subscriptions',
    'subscriptions/new',
    `subscriptions/${subscriptionId}`,
    'event-types',
    'send-event',
    'replay',
    'audit',
    'start',
    `subscriptions/${subscriptionId}?asOf=${encodeURIComponent(new Date().toISOString())}`,
    'nowhere',
  ].map((path) => `/${applicationId}/${path}`);
  plainPaths = [
    'event-types/order.paid',
    'secrets',
    'usage',
    ...[
      'applications',
      'members',
      'service-tokens',
      `service-tokens/${token.json.token_id}`,
      'token-check',
      'usage',
    ].map((path) => `/organizations/${organizationId}/${path}`),
    ...[
      '/new-organization',
      '/account',
      '/register#ada@example.com',
      '/forgot-password',
      '/verify-email',
      '/reset-password#x',
    ],
  ].map((path) => (path.startsWith('/') ? path : `/${applicationId}/${path}`));
});
afterAll(async () => {
  expect(browser.complaints).toEqual([]);
  await browser.close();
  await seeded.stop();
});

/** A theme changes colours and nothing else: the other rules need to be asked in one of them. */
const violationsOf = async (page: Page, theme: 'light' | 'dark'): Promise<string[]> => {
  const builder = new AxeBuilder({ page });
  const { violations } = await (theme === 'light' ? builder : builder.withRules(['color-contrast'])).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
  );
};

describe.each(['light', 'dark'] as const)('every page, %s', (theme) => {
  it.each([390, 1440])(
    'has nothing that axe finds, and fits, at %i px',
    async (width) => {
      const page = await browser.visit(seeded.service, seeded.applicationId, { path: 'overview', theme, width });
      const isTheirTurn = (theme === 'light') === (width === 1440);
      for (const path of isTheirTurn ? [...paths, ...plainPaths] : paths) {
        await page.goto(`${seeded.service.address}${path}`);
        await isSettled(page);
        expect(await violationsOf(page, theme), path).toEqual([]);
        await expectToFit(page);
      }
      await page.context().close();
    },
    120_000,
  );

  it('has no flaw in what opens over pages', async () => {
    const { service, applicationId } = seeded;
    const page = await browser.visit(service, applicationId, { path: 'subscriptions', theme });
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: /Search pages/ }).waitFor();
    expect(await violationsOf(page, theme)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'As of…' }).click();
    await page.getByRole('dialog', { name: 'See everything as it was' }).waitFor();
    expect(await violationsOf(page, theme)).toEqual([]);
    await page.context().close();
  });
});

describe('who is not signed in', () => {
  it.each(['light', 'dark'] as const)('finds a page to sign in without a flaw, %s', async (theme) => {
    const page = await browser.stranger();
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(seeded.service.address);
    await isSettled(page);
    expect(await violationsOf(page, theme)).toEqual([]);
    await page.setViewportSize({ width: 320, height: 800 });
    await expectToFit(page);
    await page.context().close();
  });
});

describe('a narrow screen', () => {
  it.each([320, 820])(
    'shows every page without moving sideways at %i px',
    async (width) => {
      const page = await browser.visit(seeded.service, seeded.applicationId, { path: 'overview', width });
      for (const path of [...paths, ...plainPaths]) {
        await page.goto(`${seeded.service.address}${path}`);
        await isSettled(page);
        await expectToFit(page);
      }
      await page.context().close();
    },
    60_000,
  );
});

describe('what came from outside', () => {
  it('is shown as text, whatever it is', async () => {
    const { service, applicationId } = seeded;
    const hostile = JSON.stringify({
      html: '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>',
    });
    const eventId = await seeded.send('order.paid', hostile);
    const page = await browser.visit(service, applicationId, { path: `events/${eventId}` });
    await page.getByText('onerror').first().waitFor();
    expect(await page.title()).not.toBe('owned');
    expect(await page.locator('main img, main script').count()).toBe(0);
    await page.context().close();
  });
});
