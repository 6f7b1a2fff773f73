import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import type { PeopleService, Person } from './people.ts';
import type { Receiver } from './receivers/index.ts';
import type { Answer } from './service.ts';

/** A tenant with one of everything, each with the mark in whatever may carry it. */
export type MarkedTenant = {
  readonly mark: string;
  readonly organizationId: string;
  readonly owner: Person;
  readonly viewer: Person;
  readonly invitationId: string;
  readonly applicationId: string;
  /** Another of the same organization, with nothing in it. */
  readonly otherApplicationId: string;
  readonly secretId: string;
  readonly secret: string;
  readonly serviceTokenId: string;
  readonly serviceToken: string;
  readonly eventType: string;
  readonly subscriptionId: string;
  readonly eventId: string;
  readonly deliveryId: string;
  readonly requestAttemptId: string;
  /** Of a delivery that was given up. */
  readonly deadLetterId: string;
};

const QUOTAS = { members: 10, applications: 10, subscriptions: 10, event_types: 10, events_per_day: 1_000 };

const ok = (answer: Answer): Answer => {
  expect(answer.status, answer.text).toBeLessThan(300);
  return answer;
};

/** `mark` is a lower-case word; the receiver answers `/ok` with it, and `/gone` with 410. */
export const makeMarkedTenant = async (
  service: PeopleService,
  receiver: Receiver,
  mark: string,
): Promise<MarkedTenant> => {
  const owner = await service.person(mark);
  const viewer = await service.person(`${mark}viewer`);
  const { token, organizationId } = owner;
  const post = async (path: string, body: object) => ok(await service.post(path, body, token)).json;
  ok(await service.put(`/organizations/${organizationId}/quotas`, { limits: QUOTAS }));
  ok(await service.put(`/organizations/${organizationId}`, { name: `${mark} organization` }, token));
  await post(`/organizations/${organizationId}/invite`, { email: viewer.email, role: 'viewer' });
  await post(`/organizations/${organizationId}/invite`, { email: `${mark}invited@example.com`, role: 'viewer' });
  const [invitation] = ok(await service.get(`/organizations/${organizationId}/invitations`, token)).json;
  const application = await post('/applications', { organization_id: organizationId, name: `${mark} application` });
  const other = await post('/applications', { organization_id: organizationId, name: `${mark} other` });
  const applicationId = String(application.application_id);
  ok(await service.put(`/applications/${applicationId}/quotas`, { limits: { events_per_day: 900 } }));
  const secret = await post('/application_secrets', { application_id: applicationId, name: `${mark} secret` });
  const serviceToken = await post('/service_token', { organization_id: organizationId, name: `${mark} token` });
  const eventType = `${mark}.order.paid`;
  await post('/event_types', { application_id: applicationId, name: eventType });
  await post(`/event_types/${eventType}/schemas`, {
    application_id: applicationId,
    schema: { type: 'object', title: `${mark} schema` },
    activate: true,
  });
  const subscribe = (path: string) =>
    post('/subscriptions', {
      application_id: applicationId,
      is_enabled: true,
      event_types: [eventType],
      description: `${mark} subscription`,
      labels: { [mark]: mark },
      metadata: { [mark]: mark },
      target: { type: 'http', method: 'POST', url: `${receiver.url}${path}?${mark}`, headers: { [`x-${mark}`]: mark } },
    });
  const subscription = await subscribe('/ok');
  await subscribe('/gone');
  const { event_id: eventId } = ok(
    await service.post(
      '/event',
      {
        application_id: applicationId,
        event_type: eventType,
        payload: { [mark]: mark },
        labels: { [mark]: mark },
        metadata: { [mark]: mark },
      },
      String(serviceToken.biscuit),
    ),
  ).json;
  const attempt = await eventually(async () => {
    const { json } = await service.get(
      `/request_attempts?application_id=${applicationId}&subscription_id=${subscription.subscription_id}`,
      token,
    );
    expect(json).toMatchObject([{ state: 'succeeded' }]);
    return json[0];
  });
  const deadLetter = await eventually(async () => {
    const { json } = await service.get(`/dead_letters?application_id=${applicationId}`, token);
    expect(json).toHaveLength(1);
    return json[0];
  });
  await eventually(async () =>
    expect((await service.get(`/traffic?application_id=${applicationId}`, token)).json.total.events).toBe(1),
  );
  return {
    mark,
    organizationId,
    owner,
    viewer,
    invitationId: String(invitation.invitation_id),
    applicationId,
    otherApplicationId: String(other.application_id),
    secretId: String(secret.secret_id),
    secret: String(secret.token),
    serviceTokenId: String(serviceToken.token_id),
    serviceToken: String(serviceToken.biscuit),
    eventType,
    subscriptionId: String(subscription.subscription_id),
    eventId: String(eventId),
    deliveryId: String(attempt.delivery_id),
    requestAttemptId: String(attempt.request_attempt_id),
    deadLetterId: String(deadLetter.delivery_id),
  };
};
