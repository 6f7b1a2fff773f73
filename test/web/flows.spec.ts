import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSettled, startBrowser, type TestBrowser } from '#test/support/browser.ts';
import { eventually } from '#test/support/eventually.ts';
import { startTestService } from '#test/support/service.ts';
import { type Seeded, seed } from './support.ts';

let browser: TestBrowser;
let seeded: Seeded;
beforeAll(async () => {
  [browser, seeded] = await Promise.all([startBrowser(), seed()]);
});
afterAll(async () => {
  expect(browser.complaints).toEqual([]);
  await browser.close();
  await seeded.stop();
});

describe('somebody who has just started Posthorn', () => {
  it('signs in, names what there is, and sees a first delivery arrive, by keyboard alone', async () => {
    const service = await startTestService();
    const page = await browser.stranger();
    await page.goto(service.address);
    await page.getByLabel('Token').focus();
    await page.keyboard.type(service.masterKey);
    await page.keyboard.press('Enter');
    await page.getByLabel('Organization').focus();
    await page.keyboard.type('Northwind');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Production');
    await page.keyboard.press('Enter');
    for (const step of [/^Add /, /^Subscribe /, /^Send it/]) {
      await page.getByRole('button', { name: step }).focus();
      await page.keyboard.press('Enter');
    }
    await page.getByRole('heading', { name: 'The first delivery has arrived' }).waitFor();
    expect(await page.evaluate('location.href')).not.toContain(service.masterKey);
    await page.context().close();
    await service.stop();
  });

  it('is told when a token opens nothing, and is not let in', async () => {
    const page = await browser.stranger();
    await page.goto(seeded.service.address);
    await page.getByLabel('Token').fill('nonsense');
    await page.getByRole('button', { name: 'Sign in with the key' }).click();
    await page.getByRole('alert').getByText('not accepted').waitFor();
    expect(await page.getByRole('navigation').count()).toBe(0);
    await page.context().close();
  });
});

describe('the live list', () => {
  it('shows what is sent by REST, holds it back while paused, and lets the server filter', async () => {
    const page = await browser.visit(seeded.service, seeded.applicationId, {
      path: 'deliveries',
      token: seeded.secret,
    });
    await isSettled(page);
    const rows = page.locator('tbody tr');
    await eventually(async () => expect(await rows.count()).toBeGreaterThan(5));
    const before = await rows.count();
    await seeded.send();
    await eventually(async () => expect(await rows.count()).toBe(before + 1));
    await eventually(async () => expect(await rows.first().textContent()).toContain('Delivered'));

    await page.getByRole('heading', { level: 1 }).click();
    await page.keyboard.press('Space');
    await seeded.send();
    await page.getByText(/held/).waitFor();
    await eventually(async () => expect(await page.getByText(/^[1-9]\d* held/).count()).toBe(1));
    expect(await rows.count()).toBe(before + 1);
    await page.keyboard.press('Space');
    await eventually(async () => expect(await rows.count()).toBe(before + 2));

    await page.getByLabel('Status').selectOption('FAILED');
    await isSettled(page);
    await eventually(async () =>
      expect(new Set(await page.locator('tbody .status').allTextContents())).toEqual(new Set([' Failed'])),
    );
    expect(page.url()).toContain('status=FAILED');
    await seeded.send();
    await seeded.send('order.lost');
    await eventually(async () =>
      expect(await page.locator('tbody .status').allTextContents()).not.toContain(' Delivered'),
    );
    await page.context().close();
  });

  it('is walked through by keyboard', async () => {
    const page = await browser.visit(seeded.service, seeded.applicationId, { path: 'deliveries' });
    await page.locator('tbody tr').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.locator('tbody tr[aria-selected="true"]').waitFor();
    expect(page.url()).toContain('selected=');
    await page.context().close();
  });
});

describe('subscriptions', () => {
  it('are made with a preview of what they would have got, tested, and their secret shown on demand only', async () => {
    const page = await browser.visit(seeded.service, seeded.applicationId, { path: 'subscriptions/new' });
    await page.getByLabel('Description').fill('Trying out');
    await page.getByLabel('URL').fill('http://receiver.posthorn.internal/ok');
    await page.getByLabel('Event types').fill('order.lost');
    await page.getByText(/^\d+ of the last \d+ events would go here/).waitFor();
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'Trying out' }).waitFor();
    expect(await page.content()).not.toContain('whsec_');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText(/^whsec_/).waitFor();
    await page.getByRole('button', { name: 'Hide' }).click();
    expect(await page.content()).not.toContain('whsec_');
    await page.getByRole('button', { name: 'Send a test event' }).click();
    await page.getByText('Delivered').waitFor();
    await page.context().close();
  });

  it('are seen as they were, with nothing to change, at a moment of the past', async () => {
    const { service, applicationId, subscriptionId } = seeded;
    const page = await browser.visit(service, applicationId, { path: `subscriptions/${subscriptionId}` });
    await page.getByLabel('Description').fill('Billing and taxes');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Billing and taxes' }).waitFor();
    const [created] = (
      await service.get(`/subscriptions/${subscriptionId}/history?pagination_count=100`)
    ).json.toReversed();
    await page.goto(
      `${service.address}/${applicationId}/subscriptions/${subscriptionId}?asOf=${encodeURIComponent(created.position)}`,
    );
    await page.getByRole('heading', { name: 'Billing', exact: true }).waitFor();
    await page.getByText('read-only').waitFor();
    for (const name of ['Save', 'Disable', 'Delete…', 'Show', 'Send a test event'])
      expect(await page.getByRole('button', { name, exact: true }).count(), name).toBe(0);
    await page.getByRole('link', { name: 'Subscriptions', exact: true }).click();
    await isSettled(page);
    expect(page.url()).toContain('asOf=');
    expect(await page.getByRole('link', { name: 'Legacy bank' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Back to now' }).click();
    await page.getByRole('link', { name: 'Legacy bank' }).waitFor();
    await page.context().close();
  });
});

describe('the frame', () => {
  it('jumps by keys, opens the palette and the sheet, and gives the focus back', async () => {
    const page = await browser.visit(seeded.service, seeded.applicationId, { path: 'overview' });
    await page.getByRole('heading', { level: 1 }).click();
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByRole('heading', { name: /event types/ }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => expect(await page.getByRole('dialog').count()).toBe(0));
    const search = page.getByRole('button', { name: /Search pages/ });
    await search.focus();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: /Search pages/ }).fill('audit');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Audit trail' }).waitFor();
    await page.context().close();
  });

  it('ends with the token, and says so', async () => {
    const { service, applicationId } = seeded;
    const made = await service.post('/application_secrets', { application_id: applicationId, name: 'short-lived' });
    const page = await browser.visit(service, applicationId, { path: 'deliveries', token: made.json.token });
    await page.getByText('Live', { exact: true }).waitFor();
    await service.delete(`/application_secrets/${made.json.token}?application_id=${applicationId}`);
    await page.getByLabel('Token').waitFor();
    await page.getByRole('alert').waitFor();
    await page.context().close();
  });
});
