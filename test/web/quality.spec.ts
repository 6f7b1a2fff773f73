import { createRequire } from 'node:module';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectToFit, isSettled, startBrowser, type TestBrowser } from '#test/support/browser.ts';
import { type Seeded, seed } from './support.ts';

const HEIGHT = 900;
/** The very file that AxeBuilder would otherwise send to the browser for each analysis, which takes longer than the rules. */
const AXE = createRequire(createRequire(import.meta.url).resolve('@axe-core/playwright')).resolve(
  'axe-core/axe.min.js',
);
const AXE_IS_THERE = 'axe.version';

let browser: TestBrowser;
let seeded: Seeded;
let paths: readonly string[];
/** Forms and tables that are alike at every width and in both themes: each rule is asked of them once. */
let plainPaths: readonly string[];
beforeAll(async () => {
  [browser, seeded] = await Promise.all([startBrowser({ initScript: AXE }), seed()]);
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
    'settings',
    ...[
      'applications',
      'members',
      'service-tokens',
      `service-tokens/${token.json.token_id}`,
      'token-check',
      'usage',
      'refusals',
      'settings',
    ].map((path) => `/organizations/${organizationId}/${path}`),
    ...[
      '/new-organization',
      '/instance/refusals',
      '/instance/retention',
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
  const builder = new AxeBuilder({ page, axeSource: AXE_IS_THERE })
    .options({ resultTypes: ['violations'] })
    .setLegacyMode(); // No page has frames, whose results would be put together in one more page.
  const { violations } = await (theme === 'light' ? builder : builder.withRules(['color-contrast'])).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
  );
};

/** Opens one page after the other in a window of this width; each follows the system's theme and is asked in both. */
const inspect = async (
  paths: readonly string[],
  { width, narrower }: { width: number; narrower: readonly number[] },
) => {
  const { service, applicationId } = seeded;
  const page = await browser.visit(service, applicationId, { path: 'overview', theme: 'system', width });
  for (const path of paths) {
    await page.goto(`${service.address}${path}`);
    await isSettled(page);
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await page.locator(`html[data-theme=${theme}]`).waitFor();
      expect(await violationsOf(page, theme), `${path}, ${theme}`).toEqual([]);
    }
    for (const less of [width, ...narrower]) {
      await page.setViewportSize({ width: less, height: HEIGHT });
      await expectToFit(page);
    }
    await page.setViewportSize({ width, height: HEIGHT });
  }
  await page.context().close();
};

describe('every page', () => {
  it(
    'has nothing that axe finds in a wide window, and fits into narrower ones',
    () => inspect([...paths, ...plainPaths], { width: 1440, narrower: [820, 390, 320] }),
    120_000,
  );

  it(
    'has nothing that axe finds on a telephone, and fits',
    () => inspect(paths, { width: 390, narrower: [320] }),
    120_000,
  );
});

describe.each(['light', 'dark'] as const)('what is chosen to be %s', (theme) => {
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
