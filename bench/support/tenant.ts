import { randomUUID } from 'node:crypto';

export type Tenant = { readonly organizationId: string; readonly applicationId: string; readonly secret: string };

/** A small client for setting things up over the API, as anybody would. */
export const createClient = (base: string, token: string) => {
  const call = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  };
  return {
    call,
    makeTenant: async (eventTypes: readonly string[]): Promise<Tenant> => {
      const { organization_id } = await call<{ organization_id: string }>('POST', '/organizations', { name: 'Bench' });
      const { application_id } = await call<{ application_id: string }>('POST', '/applications', {
        organization_id,
        name: 'Bench',
      });
      for (const name of eventTypes) await call('POST', '/event_types', { application_id, name });
      const secrets = await call<{ token: string }[]>('GET', `/application_secrets?application_id=${application_id}`);
      return { organizationId: organization_id, applicationId: application_id, secret: secrets[0]?.token ?? token };
    },
    subscribe: (tenant: Tenant, eventType: string, url: string, extra: Record<string, unknown> = {}) =>
      call<{ subscription_id: string }>('POST', '/subscriptions', {
        application_id: tenant.applicationId,
        is_enabled: true,
        event_types: [eventType],
        labels: {},
        target: { type: 'http', method: 'POST', url, headers: {} },
        ...extra,
      }),
  };
};

export type Client = ReturnType<typeof createClient>;

/** The body of an ingest with a payload of about `bytes`. */
export const eventBody = (applicationId: string, eventType: string, bytes: number, withId = false): string =>
  JSON.stringify({
    application_id: applicationId,
    ...(withId ? { event_id: randomUUID() } : {}),
    event_type: eventType,
    payload: JSON.stringify({ order: 'A-1001', note: 'x'.repeat(Math.max(0, bytes - 30)) }),
    payload_content_type: 'application/json',
    labels: { tenant: 'acme' },
    occurred_at: '2026-01-01T00:00:00Z',
  });
