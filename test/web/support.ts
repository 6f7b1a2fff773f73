import { Client } from 'pg';
import type { BrowserContext } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { answer } from '#test/support/receivers/behaviours.ts';
import { startReceiver } from '#test/support/receivers/receiver.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

export type Seeded = {
  readonly service: TestService;
  readonly applicationId: string;
  readonly secret: string;
  readonly subscriptionId: string;
  readonly send: (eventType?: string, payload?: string) => Promise<string>;
  readonly stop: () => Promise<void>;
};

/** A service with a subscription that works, one that fails for good, and some events of each kind. */
export const seed = async (): Promise<Seeded> => {
  const service = await startTestService({ POSTHORN_RETRY_SCHEDULE: '50ms' });
  const { applicationId, secret } = await service.tenant('order.paid', 'order.lost');
  const well = await startReceiver();
  const broken = await startReceiver({ behaviour: answer(503, 'overloaded') });
  const subscribe = async (description: string, url: string, eventTypes: string[]): Promise<string> => {
    const made = await service.post('/subscriptions', {
      application_id: applicationId,
      is_enabled: true,
      event_types: eventTypes,
      description,
      labels: {},
      target: { type: 'http', method: 'POST', url, headers: {} },
    });
    expect(made.status).toBe(201);
    return made.json.subscription_id;
  };
  const subscriptionId = await subscribe('Billing', well.url, ['order.*']);
  await subscribe('Legacy bank', broken.url, ['order.lost']);
  const send = async (eventType = 'order.paid', payload = '{"amount":1299,"html":"<b>bold</b>"}'): Promise<string> => {
    const made = await service.post('/event', {
      application_id: applicationId,
      event_type: eventType,
      payload,
      labels: { region: 'eu' },
    });
    expect(made.status).toBe(201);
    return made.json.event_id;
  };
  for (let n = 0; n < 6; n += 1) await send(n % 3 === 0 ? 'order.lost' : 'order.paid');
  await eventually(async () => {
    const letters = await service.get(`/dead_letters?application_id=${applicationId}`);
    expect(letters.json).toHaveLength(2);
  });
  return {
    service,
    applicationId,
    secret,
    subscriptionId,
    send,
    stop: async () => {
      await service.stop();
      await Promise.all([well.close(), broken.close()]);
    },
  };
};

/** As if everybody had given the password a quarter of an hour ago. */
export const agePasswords = async ({ databaseUrl }: TestService): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("UPDATE user_session SET authenticated_at = authenticated_at - interval '15 minutes'");
  await client.end();
};

/** How many tabs of a browser renew their session at the same time, at most. */
export const countRefreshes = async (context: BrowserContext) => {
  let asking = 0;
  let most = 0;
  let withheld: Promise<unknown> = Promise.resolve();
  await context.route('**/auth/refresh', async (route) => {
    asking += 1;
    most = Math.max(most, asking);
    await withheld;
    const response = await route.fetch();
    asking -= 1; // Before the tab can know the answer, and let another one ask.
    await route.fulfill({ response });
  });
  return {
    atOnce: (): number => most,
    /** Answers none before this is over. */
    withholdFor: async (loading: Promise<unknown>): Promise<void> => {
      withheld = loading;
      await loading;
    },
  };
};
