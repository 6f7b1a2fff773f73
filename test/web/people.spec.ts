import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSettled, startBrowser, type TestBrowser } from '#test/support/browser.ts';
import { eventually } from '#test/support/eventually.ts';
import { PASSWORD, type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';
import { agePasswords, countRefreshes } from './support.ts';

let browser: TestBrowser;
let service: PeopleService;
beforeAll(async () => {
  [browser, service] = await Promise.all([startBrowser(), startPeopleService()]);
});
afterAll(async () => {
  expect(browser.complaints).toEqual([]);
  await browser.close();
  await service.stop();
});

const signIn = async (page: Page, email: string): Promise<void> => {
  await page.goto(service.address);
  await page.getByLabel('Mail address').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
};
const stored = (page: Page): Promise<string> =>
  page.evaluate<string>('JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])');

describe('somebody who comes for the first time', () => {
  it('registers, follows the mail, stays signed in over reloads and tabs, and signs out of all of them', async () => {
    const page = await browser.stranger();
    const email = 'ada@example.com';
    await page.goto(`${service.address}/register#${email}`);
    await page.getByLabel('Given name').fill('Ada');
    await page.getByLabel('Family name').fill('Lovelace');
    expect(await page.getByLabel('Mail address').inputValue()).toBe(email);
    expect(page.url()).toBe(`${service.address}/register`);
    await page.getByLabel('Password').fill('short');
    await page.getByRole('button', { name: 'Register' }).click();
    await page.getByRole('alert').getByText('PasswordTooShort').waitFor();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Register' }).click();
    await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();

    const token = await service.linkOf(email, /Verify/);
    await page.goto(`${service.address}/verify-email#${encodeURIComponent(token)}`);
    await page.getByRole('link', { name: 'Ada Lovelace' }).waitFor();
    expect(page.url()).not.toContain(token);
    await page.getByRole('heading', { name: '0 applications' }).waitFor();

    await page.reload();
    await page.getByRole('link', { name: 'Ada Lovelace' }).waitFor();
    // What opens the API is in no place that a script could read later.
    expect(await stored(page)).not.toMatch(/[A-Za-z0-9_-]{60}/);

    const tab = await page.context().newPage();
    // Two tabs that show one refresh token end the session: none is answered before both have had the time to ask.
    const refreshes = await countRefreshes(page.context());
    await refreshes.withholdFor(Promise.all([page.goto(service.address), tab.goto(service.address)]));
    await Promise.all([page, tab].map((each) => each.getByRole('link', { name: 'Ada Lovelace' }).waitFor()));
    expect(refreshes.atOnce()).toBe(1);
    await tab.getByRole('button', { name: 'Sign out' }).click();
    await Promise.all([page, tab].map((each) => each.getByRole('heading', { name: 'Sign in to Posthorn' }).waitFor()));
    await page.reload();
    await page.getByLabel('Mail address').waitFor();
    const cookies = await page.context().cookies();
    expect(cookies.filter(({ name }) => name.includes('posthorn'))).toEqual([]);

    await page.goto(`${service.address}/verify-email#${encodeURIComponent(token)}`);
    await page.getByRole('heading', { name: 'The link is over' }).waitFor();
    await page.getByLabel('Mail address').fill(email);
    await page.getByRole('button', { name: 'Send another mail' }).click();
    await page.getByRole('status').getByText('a mail is on its way').waitFor();
    await page.context().close();
  });
});

describe('somebody who cannot get in', () => {
  it('chooses a new password with the link of a mail, which is asked for alike by everybody', async () => {
    const person = await service.person('Joan');
    const page = await browser.stranger();
    await page.goto(service.address);
    await page.getByLabel('Mail address').fill(person.email);
    await page.getByLabel('Password').fill('not the right one');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('alert').getByText('AuthFailedLogin').waitFor();
    for (const email of ['nobody.at.all@example.com', person.email]) {
      await page.goto(`${service.address}/forgot-password`);
      await page.getByLabel('Mail address').fill(email);
      await page.getByRole('button', { name: 'Send the mail' }).click();
      await page.getByRole('status').getByText('If there is an account').waitFor();
    }
    const token = await service.linkOf(person.email, /password/i);
    await page.goto(`${service.address}/reset-password#${encodeURIComponent(token)}`);
    expect(page.url()).toBe(`${service.address}/reset-password`);
    await page.getByLabel('New password').fill('short');
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByRole('alert').getByText('PasswordTooShort').waitFor();
    await page.getByLabel('New password').fill('another horse battery staple');
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByRole('heading', { name: 'The password is changed' }).waitFor();
    expect((await service.get('/auth/me', person.token)).status).toBe(403);
    await service.login(person.email, 'another horse battery staple');
    await page.context().close();
  });

  it('is told where registration is closed', async () => {
    const page = await browser.stranger();
    await page.route('**/api/v1/instance', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ json: { ...(await answer.json()), registration_disabled: true } });
    });
    await page.goto(`${service.address}/register`);
    await page.getByRole('alert').getByText('registration is closed').waitFor();
    expect(await page.getByRole('button', { name: 'Register' }).count()).toBe(0);
    await page.context().close();
  });
});

type Place = {
  readonly owner: Person;
  readonly applicationId: string;
  readonly subscriptionId: string;
  readonly eventId: string;
};

/** An application of somebody, with a subscription and an event. */
const placeOf = async (name: string): Promise<Place> => {
  const owner = await service.person(name);
  const create = async (path: string, body: unknown) => {
    const made = await service.post(path, body, owner.token);
    expect(made.status, made.text).toBe(201);
    return made.json;
  };
  const application = await create('/applications', { organization_id: owner.organizationId, name: 'Shop' });
  const applicationId: string = application.application_id;
  await create('/event_types', { application_id: applicationId, name: 'order.paid' });
  const { subscription_id: subscriptionId } = await create('/subscriptions', {
    application_id: applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    description: 'Billing',
    labels: {},
    target: { type: 'http', method: 'POST', url: 'http://receiver.posthorn.internal/ok', headers: {} },
  });
  const sent = {
    application_id: applicationId,
    event_type: 'order.paid',
    payload: '{"id":"1"}',
    labels: { region: 'eu' },
  };
  const { event_id: eventId } = await create('/event', sent);
  return { owner, applicationId, subscriptionId, eventId };
};

describe('a viewer', () => {
  it('sees everything but secrets, and nothing to change', async () => {
    const { owner, applicationId, subscriptionId, eventId } = await placeOf('Grace');
    const viewer = await service.person('Edsger');
    const invited = { email: viewer.email, role: 'viewer' };
    const invitation = await service.post(`/organizations/${owner.organizationId}/invite`, invited, owner.token);
    expect(invitation.status).toBe(200);
    const delivery = await eventually(async () => {
      const list = await service.get(`/deliveries?application_id=${applicationId}`, owner.token);
      expect(list.json).toHaveLength(1);
      return list.json[0].delivery_id as string;
    });

    const page = await browser.stranger();
    await signIn(page, viewer.email);
    const base = `${service.address}/${applicationId}`;
    const WORDS =
      /^(New subscription|Save|Create|Disable|Delete…|Show|Rotate…|Send a test event|Send one|Send|Add|Add the version|Activate…|Deactivate…|Replay.*|Retry now|Cancel|Invite|Remove…|Revoke…)$/;
    const offered = async (): Promise<string[]> => {
      await isSettled(page);
      const words = await page.locator('main button, main a.button').allTextContents();
      return words.map((word) => word.trim()).filter((word) => WORDS.test(word));
    };
    for (const path of [
      'overview',
      'deliveries',
      `deliveries/${delivery}`,
      'events',
      `events/${eventId}`,
      'dead-letters',
      'subscriptions',
      'subscriptions/new',
      `subscriptions/${subscriptionId}`,
      'event-types',
      'event-types/order.paid',
      'send-event',
      'replay',
      'secrets',
    ]) {
      await page.goto(`${base}/${path}`);
      expect(await offered(), path).toEqual([]);
    }
    const navigation = await page.getByRole('navigation', { name: 'Pages' }).textContent();
    expect(navigation).not.toMatch(/Service tokens|Secrets|Send event|Replay/);
    await page.goto(`${service.address}/organizations/${owner.organizationId}/members`);
    await page.getByRole('cell', { name: owner.email }).waitFor();
    expect(await offered()).toEqual([]);
    expect(await page.getByRole('combobox', { name: /^Role of/ }).count()).toBe(0);

    // The same page as seen by somebody who may: without this the words above would prove nothing.
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(page, owner.email);
    await page.goto(`${base}/subscriptions/${subscriptionId}`);
    expect(await offered()).toEqual(
      expect.arrayContaining(['Disable', 'Delete…', 'Save', 'Show', 'Rotate…', 'Send a test event']),
    );
    await page.context().close();
  });
});

describe('a session', () => {
  it('is renewed before it runs out, also by a browser whose clock is wrong, and what is watched goes on', async () => {
    const { owner, applicationId } = await placeOf('Hedy');
    const page = await browser.stranger();
    let refreshes = 0;
    page.on('request', (request) => {
      if (request.url().endsWith('/auth/refresh')) refreshes += 1;
    });
    await page.clock.install({ time: new Date() });
    await signIn(page, owner.email);
    await page.getByRole('link', { name: 'Deliveries', exact: true }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    const socket = page.waitForEvent('websocket');
    // Nearly five minutes later here, and not for the server: from now on the clock is wrong.
    await page.clock.fastForward(272_000);
    await socket;
    await page.clock.fastForward(1_000);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(refreshes).toBe(1);
    const rows = page.locator('tbody tr');
    const before = await rows.count();
    const event = { application_id: applicationId, event_type: 'order.paid', payload: '{}', labels: { region: 'eu' } };
    expect((await service.post('/event', event)).status).toBe(201);
    await eventually(async () => {
      await page.clock.runFor(200);
      expect(await rows.count()).toBe(before + 1);
    });

    // A token that is refused is exchanged, once, and what was asked is asked again.
    let refused = 0;
    await page.route('**/graphql', async (route) => {
      const isFirst = refused === 0;
      refused += 1;
      if (!isFirst) return route.continue();
      const body = JSON.stringify({ id: 'AuthInvalidBiscuit', title: 'The token is not good' });
      return route.fulfill({ status: 403, contentType: 'application/problem+json', body });
    });
    await page.getByRole('link', { name: 'Members' }).click();
    await page.getByRole('cell', { name: owner.email }).waitFor();
    expect(refreshes).toBe(2);
    await page.context().close();
  });
});

describe('an owner', () => {
  it('invites, takes back, changes roles, and cannot leave as the last one', async () => {
    const { owner } = await placeOf('Margaret');
    const colleague = await service.person('Dennis');
    const page = await browser.stranger();
    await signIn(page, owner.email);
    await page.getByRole('link', { name: 'Members' }).click();
    await page.getByText('There is one owner.').waitFor();
    expect(await page.getByRole('button', { name: 'Leave…' }).count()).toBe(0);
    for (const email of ['nobody.yet@example.com', colleague.email]) {
      await page.getByLabel('Mail address').fill(email);
      await page.getByRole('button', { name: 'Invite', exact: true }).click();
      await page.getByRole('cell', { name: email, exact: true }).waitFor();
    }
    await page.getByRole('button', { name: 'Take back the invitation of nobody.yet@example.com' }).click();
    await page.getByText('None. Everybody who was invited').waitFor();
    const role = page.getByLabel(`Role of ${colleague.email}`);
    expect(await role.inputValue()).toBe('viewer');
    await role.selectOption('owner');
    await page.getByRole('button', { name: 'Leave…' }).click();
    await page.getByRole('button', { name: 'Leave', exact: true }).click();
    await page.getByRole('heading', { name: 'You belong to no organization' }).waitFor();
    await page.getByLabel('Name').fill('Margaret and daughters');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: '0 applications' }).waitFor();
    await page.context().close();
  });
});

describe('an editor', () => {
  it('adds a schema, sees what it would have refused, and activates it all the same', async () => {
    const { owner, applicationId } = await placeOf('Radia');
    const page = await browser.stranger();
    await signIn(page, owner.email);
    await page.goto(`${service.address}/${applicationId}/event-types/order.paid`);
    const field = page.getByLabel('JSON Schema');
    await field.fill('{"type": "object", ');
    await page.getByText('Not JSON yet').waitFor();
    expect(await page.getByRole('button', { name: 'Add the version' }).isDisabled()).toBe(true);
    await field.fill('{"type": "object", "required": ["amount"]}');
    await page.getByRole('button', { name: 'Add the version' }).click();
    await page.getByRole('button', { name: 'Activate version 1' }).click();
    const dialog = page.getByRole('dialog', { name: 'Have payloads match version 1' });
    await dialog.getByText('It would have refused 1 event of the 1 event').waitFor();
    await dialog.getByRole('button', { name: 'Activate' }).click();
    await page.getByText('must match version 1 of the schema').waitFor();
    const event = { application_id: applicationId, event_type: 'order.paid', payload: '{}', labels: { region: 'eu' } };
    expect((await service.post('/event', event)).status).toBe(422);
    await page.context().close();
  });

  it('gives the password again to see a secret, and a wrong one shows nothing', async () => {
    const { owner, applicationId, subscriptionId } = await placeOf('Barbara');
    const page = await browser.stranger();
    await signIn(page, owner.email);
    await agePasswords(service);
    await page.goto(`${service.address}/${applicationId}/subscriptions/${subscriptionId}`);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Give your password again' });
    await dialog.getByLabel('Password').fill('not the right one');
    await dialog.getByRole('button', { name: 'Go on' }).click();
    await dialog.getByRole('alert').getByText('AuthFailedLogin').waitFor();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => [id, ...nodes.map(({ target }) => target.join(' '))])).toEqual([]);
    expect(await page.content()).not.toContain('whsec_');
    await dialog.getByLabel('Password').fill(PASSWORD);
    await dialog.getByRole('button', { name: 'Go on' }).click();
    await page.getByText(/^whsec_/).waitFor();

    await agePasswords(service);
    await page.goto(`${service.address}/${applicationId}/secrets`);
    await page.getByRole('button', { name: /^Show/ }).first().click();
    await dialog.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    const secret = await page.locator('.revealed code').textContent();
    expect((await service.get(`/event_types?application_id=${applicationId}`, secret)).status).toBe(200);
    await page.getByRole('button', { name: 'Hide' }).click();
    expect(await page.content()).not.toContain(String(secret));
    await page.context().close();
  });

  it('makes a token, restricts it, and asks what it may do', async () => {
    const { owner, applicationId } = await placeOf('Alan');
    const page = await browser.stranger();
    await signIn(page, owner.email);
    await page.goto(`${service.address}/organizations/${owner.organizationId}/service-tokens`);
    await page.getByLabel('New service token').fill('Shop backend');
    await page.getByRole('button', { name: 'Create' }).click();
    const whole = await page.locator('.revealed code').textContent();
    expect((await service.get('/organizations', whole)).status).toBe(200);

    await page.getByRole('link', { name: 'Restrict Shop backend' }).click();
    await page.getByRole('main').getByLabel('Application', { exact: true }).selectOption(applicationId);
    await page.getByLabel('event:ingest').check();
    await page.getByLabel('Expires').selectOption('7');
    await page.getByRole('button', { name: 'Make the restricted token' }).click();
    const restricted = String(await page.locator('.revealed code').textContent());
    const revocationId = String(await page.locator('.facts .id code').textContent());
    const event = { application_id: applicationId, event_type: 'order.paid', payload: '{}', labels: { region: 'eu' } };
    expect((await service.post('/event', event, restricted)).status).toBe(201);
    expect((await service.get(`/events?application_id=${applicationId}`, restricted)).status).toBe(403);

    await page.getByRole('link', { name: /See what a token holds/ }).click();
    await page.getByLabel('Token', { exact: true }).fill(restricted);
    await page.getByRole('button', { name: 'See what it holds' }).click();
    await page.getByText('✓ It is live').waitFor();
    await page.getByText('check if application_id').waitFor();
    await page.getByRole('main').getByLabel('Application', { exact: true }).selectOption(applicationId);
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('✓ Yes, it may').waitFor();
    await page.getByLabel('Action').fill('event:list');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.getByText('✗ No, it may not').waitFor();

    await page.goBack();
    await page.getByLabel('Its revocation id').fill(revocationId);
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('Every token that holds this block is revoked.').waitFor();
    expect((await service.post('/event', event, restricted)).status).toBe(403);
    expect((await service.get('/organizations', whole)).status).toBe(200);
    await page.context().close();
  });
});

describe('an account', () => {
  it('changes its password and stays signed in, ends other sessions, and is erased after its address was typed', async () => {
    const person = await service.person('Ida');
    const page = await browser.stranger();
    await signIn(page, person.email);
    await page.getByRole('link', { name: 'Ida Tester' }).click();
    await page.getByRole('button', { name: /^End the session/ }).click();
    await eventually(async () =>
      expect(await page.getByRole('region', { name: 'Sessions' }).locator('tbody tr').count()).toBe(1),
    );
    expect((await service.get('/auth/me', person.token)).status).toBe(403);
    await page.getByLabel('Current password').fill(PASSWORD);
    await page.getByLabel('New password').fill('another horse battery staple');
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    await page.getByText('The password is changed').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Ida Tester' }).waitFor();
    // Their organization needs an owner: the refusal says so, and nothing is gone.
    await page.getByRole('button', { name: 'Erase the account…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Erase your account' });
    expect(await dialog.getByRole('button', { name: 'Erase it' }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill(person.email);
    await dialog.getByRole('button', { name: 'Erase it' }).click();
    await page.getByRole('alert').getByText('OrganizationNeedsAnOwner').waitFor();
    const again = await service.login(person.email, 'another horse battery staple');
    expect((await service.delete(`/organizations/${person.organizationId}`, again.token)).status).toBe(204);
    await page.getByRole('button', { name: 'Erase the account…' }).click();
    await dialog.getByRole('textbox').fill(person.email);
    await dialog.getByRole('button', { name: 'Erase it' }).click();
    await page.getByRole('alert').getByText('Your account is erased.').waitFor();
    await page.context().close();
  });
});
