import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attenuate } from '#src/tokens/attenuate.ts';
import { expectToFit, isSettled, startBrowser, type TestBrowser } from '#test/support/browser.ts';
import { eventually } from '#test/support/eventually.ts';
import { PASSWORD, type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';
import { agePasswords, countRefreshes } from './support.ts';

let browser: TestBrowser;
let service: PeopleService;
beforeAll(async () => {
  [browser, service] = await Promise.all([startBrowser(), startPeopleService({ POSTHORN_QUOTAS: 'true' })]);
});
afterAll(async () => {
  expect(browser.complaints).toEqual([]);
  await browser.close();
  await service.stop();
});

const signIn = async (page: Page, { email }: Person): Promise<void> => {
  await page.goto(service.address);
  await page.getByLabel('Mail address').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
};
const applicationOf = async ({ organizationId, token }: Person, name = 'Shop'): Promise<string> => {
  const made = await service.post('/applications', { organization_id: organizationId, name }, token);
  expect(made.status, made.text).toBe(201);
  return made.json.application_id;
};

describe('an owner', () => {
  it('renames and deletes an application, and then erases the organization with name and password', async () => {
    const owner = await service.person('Anita');
    const applicationId = await applicationOf(owner);
    const page = await browser.stranger();
    await signIn(page, owner);
    await page.getByRole('link', { name: 'Application settings' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Market');
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('heading', { name: 'Settings of Market' }).waitFor();
    await page
      .getByRole('combobox', { name: /Application/ })
      .getByText('Market')
      .waitFor({ state: 'attached' });

    const organization = `/organizations/${owner.organizationId}`;
    await page.getByRole('link', { name: 'Organization settings' }).click();
    await page.getByText('It has 1 application').waitFor();
    expect(await page.getByRole('button', { name: /^Delete/ }).count()).toBe(0);

    await agePasswords(service); // Known within two seconds, or as soon as an application was deleted.
    await page.goto(`${service.address}/${applicationId}/settings`);
    await page.getByRole('button', { name: 'Delete the application…' }).click();
    const deleting = page.getByRole('dialog', { name: 'Delete Market' });
    expect(await deleting.getByRole('button', { name: 'Delete it' }).isDisabled()).toBe(true);
    await deleting.getByRole('textbox').fill('Market');
    await deleting.getByRole('button', { name: 'Delete it' }).click();
    await page.getByRole('heading', { name: '0 applications' }).waitFor();
    expect((await service.get(`/applications/${applicationId}`, owner.token)).status).toBe(404);

    await page.getByRole('link', { name: 'Organization settings' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Anita and sons');
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('heading', { name: 'Settings of Anita and sons' }).waitFor();
    await page.getByRole('button', { name: 'Leave…' }).click();
    await page.getByRole('button', { name: 'Leave', exact: true }).click();
    await page.getByRole('alert').getByText('OrganizationNeedsAnOwner').waitFor();
    await page.getByRole('button', { name: 'Delete and erase…' }).click();
    const erasing = page.getByRole('dialog', { name: 'Delete and erase Anita and sons' });
    await erasing.getByRole('textbox').fill('Anita');
    expect(await erasing.getByRole('button', { name: 'Erase it' }).isDisabled()).toBe(true);
    await erasing.getByRole('textbox').fill('Anita and sons');
    await erasing.getByRole('button', { name: 'Erase it' }).click();
    const password = page.getByRole('dialog', { name: 'Give your password again' });
    expect((await service.get(organization, owner.token)).status).toBe(200);
    await password.getByLabel('Password').fill(PASSWORD);
    await password.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('heading', { name: 'You belong to no organization' }).waitFor();
    const erased = await service.delete(`${organization}?erase=true`, service.masterKey);
    expect(erased.status).toBe(204); // Once more changes nothing.
    await page.context().close();
  });
});

describe('a restricted token', () => {
  it('is offered what it may do, told of pages that are not for it, and refused by the server', async () => {
    const owner = await service.person('Boris');
    const applicationId = await applicationOf(owner);
    const of = { organization_id: owner.organizationId, name: 'Reader' };
    const { biscuit } = (await service.post('/service_token', of, owner.token)).json;
    const actions = [
      'application:get',
      'application:list',
      'organization:list',
      'event:list',
      'delivery:list',
      'event_type:list',
      'event_type:get',
    ];
    const subscriptions = ['subscription:list', 'subscription:get'];
    const token = attenuate(biscuit, { actions: [...actions, ...subscriptions, 'event_type:create'] });

    const page = await browser.visit(service, applicationId, { path: 'event-types', token });
    await isSettled(page);
    expect(await page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents()).toEqual([
      'Overview',
      'Events',
      'Subscriptions',
      'Event types',
      'Audit trail',
      'Usage',
      'Application settings',
    ]);
    await page.getByLabel('New event type').fill('order.paid');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('link', { name: 'order.paid' }).waitFor();
    expect(await page.getByRole('button', { name: 'Deactivate…' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Send one' }).count()).toBe(0);
    await page.goto(`${service.address}/${applicationId}/settings`);
    await page.getByRole('heading', { name: 'Settings of Shop' }).waitFor();
    expect(await page.getByRole('button', { name: /^(Rename|Delete)/ }).count()).toBe(0);

    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.postData() ?? ''));
    await page.goto(`${service.address}/${applicationId}/secrets`);
    await page.getByText('It takes application_secret:list').waitFor();
    expect(asked.filter((text) => text.includes('ApplicationSecrets'))).toEqual([]);
    const secrets = `/application_secrets?application_id=${applicationId}`;
    expect((await service.get(secrets, token)).status).toBe(403);
    expect((await service.delete(`/applications/${applicationId}`, token)).status).toBe(403);
    await page.context().close();
  });
});

describe('limits', () => {
  it('are set with the master key, and others are told who sets them', async () => {
    const owner = await service.person('Clara');
    const applicationId = await applicationOf(owner);
    const usage = `organizations/${owner.organizationId}/usage`;
    await service.put('/plans/team', { label: 'Team', limits: { members: 5 } }, service.masterKey);
    const page = await browser.visit(service, applicationId, { path: 'usage' });
    await page.getByRole('textbox', { name: 'Subscriptions' }).fill('12x');
    await page.getByText('A whole number, or nothing.').waitFor();
    expect(await page.getByRole('button', { name: 'Set the limits' }).isDisabled()).toBe(true);
    await page.getByRole('textbox', { name: 'Subscriptions' }).fill('12');
    await page.getByRole('button', { name: 'Set the limits' }).click();
    await page.getByText('0 of 12').waitFor();

    await page.goto(`${service.address}/${usage}`);
    await page.getByLabel('Plan').selectOption('Team');
    await page.getByRole('textbox', { name: 'Applications' }).fill('3');
    await page.getByRole('button', { name: 'Set the limits' }).click();
    await page.getByText('1 of 3').waitFor();
    await page.getByText('1 of 5').waitFor();
    await page.getByRole('textbox', { name: 'Applications' }).fill('');
    await page.getByRole('button', { name: 'Set the limits' }).click();
    await page.getByText('1 of 1', { exact: true }).waitFor();
    const quotas = await service.get(`/organizations/${owner.organizationId}/quotas`, owner.token);
    expect(quotas.json).toMatchObject({ plan: { name: 'team' }, own: {} });
    await page.context().close();

    const own = await browser.stranger();
    await signIn(own, owner);
    await own.goto(`${service.address}/${usage}`);
    await own.getByText('set by whoever runs this instance').waitFor();
    expect(await own.getByRole('button', { name: 'Set the limits' }).count()).toBe(0);
    await own.context().close();
  });
});

describe('what was refused', () => {
  it('is listed for owners by name, and for whoever runs the instance with what was cleaned', async () => {
    const [owner, viewer] = [await service.person('Dora'), await service.person('Emil')];
    const { organizationId } = owner;
    const applicationId = await applicationOf(owner);
    await service.put(`/organizations/${organizationId}/quotas`, { limits: { members: 2 } }, service.masterKey);
    const invited = { email: viewer.email, role: 'viewer' };
    expect((await service.post(`/organizations/${organizationId}/invite`, invited, owner.token)).status).toBe(200);
    expect((await service.delete(`/applications/${applicationId}`, viewer.token)).status).toBe(403);
    const page = await browser.stranger();
    await signIn(page, owner);
    await eventually(async () => {
      await page.getByRole('link', { name: 'Usage and quotas' }).click();
      await page.getByRole('link', { name: 'Refusals' }).click();
      await isSettled(page);
      expect(await page.getByRole('row').count()).toBe(2);
    });
    const row = page.getByRole('row').nth(1);
    for (const text of [viewer.email, `user:${viewer.userId}`, 'application:delete', 'may not do it', '127.0.0.1'])
      await row.getByText(text).waitFor();
    await page.goto(`${service.address}/instance/refusals`);
    await page.getByText('for whoever runs the instance').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(page, viewer);
    await page.goto(`${service.address}/organizations/${organizationId}/refusals`);
    await page.getByText('You are viewer of').waitFor();
    await page.context().close();

    const master = await browser.visit(service, applicationId, { path: 'overview' });
    await master.getByRole('link', { name: 'Refusals of the instance' }).click();
    await master.getByRole('cell', { name: `user:${viewer.userId}` }).waitFor();
    await master.getByRole('link', { name: 'Retention' }).click();
    await master.getByRole('heading', { name: 'Nothing was cleaned yet' }).waitFor();
    await master.context().close();
  });
});

describe('two tabs of a browser without locks', () => {
  it('renew the session one after the other, and share what they get', async () => {
    const person = await service.person('Frida');
    const page = await browser.stranger();
    const context = page.context();
    await context.addInitScript('delete Navigator.prototype.locks');
    await signIn(page, person);
    expect(await page.evaluate<boolean>("'locks' in navigator")).toBe(false);
    const tab = await context.newPage();
    const tabs = [page, tab];
    const signedIn = () => Promise.all(tabs.map((each) => each.getByRole('link', { name: 'Frida Tester' }).waitFor()));
    const refreshes = await countRefreshes(context);
    for (let n = 0; n < 3; n += 1) {
      // None is answered before both have had the time to ask.
      await refreshes.withholdFor(Promise.all(tabs.map((each) => each.goto(service.address))));
      await signedIn();
    }
    expect(refreshes.atOnce()).toBe(1);

    await tab.reload();
    await signedIn();
    const [first, second] = await Promise.all(
      tabs.map(async (each) => {
        const [request] = await Promise.all([
          each.waitForRequest((asked) => asked.postData()?.includes('query Members') ?? false),
          each.getByRole('link', { name: 'Members' }).click(),
        ]);
        return request.headers().authorization;
      }),
    );
    expect(first).toMatch(/^Bearer .{100}/);
    expect(first).toBe(second);
    await context.close();
  });
});

it('a page that is left while it renews the session does not end it', async () => {
  const person = await service.person('Gerda');
  const page = await browser.stranger();
  await signIn(page, person);
  for (let n = 0; n < 3; n += 1) {
    const asked = page.waitForRequest('**/auth/refresh');
    await page.goto(service.address, { waitUntil: 'commit' });
    await asked;
    await page.goto(service.address);
    await page.getByRole('link', { name: 'Gerda Tester' }).waitFor();
  }
  await page.context().close();
});

it('text may be twice as large: everything grows with it, and fits', async () => {
  const owner = await service.person('Hilda');
  const applicationId = await applicationOf(owner);
  const page = await browser.visit(service, applicationId, { path: 'overview', width: 1280 });
  const organization = `organizations/${owner.organizationId}`;
  for (const path of [`${applicationId}/overview`, `${organization}/members`, `${organization}/usage`]) {
    await page.goto(`${service.address}/${path}`);
    await isSettled(page);
    const sizes =
      "[...document.querySelectorAll('h1, .note, nav a, button')].map((of) => getComputedStyle(of).fontSize)";
    const before = await page.evaluate<string[]>(sizes);
    await page.evaluate("document.documentElement.style.setProperty('font-size', '200%')");
    expect(await page.evaluate<string[]>(sizes)).toEqual(before.map((size) => `${2 * Number.parseFloat(size)}px`));
    await expectToFit(page);
  }
  await page.context().close();
});
