import { requireFreshPassword } from '../../auth/authorize.ts';
import { Problem } from '../../problems.ts';
import { type Context, type Moment, see } from '../context.ts';
import type { CallRest } from '../rest.ts';
import type { Fields } from '../schema.ts';
import { command, present } from './command.ts';

type Id = { readonly id: string };
type Input = {
  readonly applicationId?: string | null;
  readonly isEnabled?: boolean | null;
  readonly eventTypes: readonly string[];
  readonly description?: string | null;
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly target: { readonly method?: string | null; readonly url: string; readonly headers?: unknown };
  readonly retrySchedule?: string | null;
  readonly concurrencyMax?: number | null;
  readonly signEd25519?: boolean | null;
};

/** A subscription's settings in the words of REST. */
const bodyOf = ({ target, ...input }: Input) => ({
  application_id: input.applicationId ?? undefined,
  is_enabled: input.isEnabled ?? true,
  event_types: input.eventTypes,
  description: input.description,
  labels: input.labels ?? {},
  metadata: input.metadata,
  target: { type: 'http', method: target.method ?? 'POST', url: target.url, headers: target.headers ?? {} },
  retry_schedule: input.retrySchedule,
  concurrency_max: input.concurrencyMax,
  sign_ed25519: input.signEd25519,
});

const seen = async (moment: Moment, id: string) =>
  see(moment, present(await moment.loaders.subscription(id), 'subscription', id));

/** What REST shows of a subscription to those who may see its secret. */
const revealed = async (moment: Moment, shown: Readonly<Record<string, unknown>>) => ({
  subscription: await seen(moment, String(shown.subscription_id)),
  secret: shown.secret,
  signingSecret: shown.signing_secret,
  headers: (shown.target as { headers: unknown }).headers,
  publicKey: shown.public_key,
});

/** Why REST did not show it. */
const hidden = ({ request: { principal }, deps }: Context): Problem => {
  requireFreshPassword(principal, deps.now());
  return new Problem('Forbidden', 'Viewers do not see secrets. Ask an editor or an owner.');
};

export const subscriptionMutations = (rest: CallRest): Fields[string] => ({
  createSubscription: command(rest, async ({ input }: { input: Input }, call, at) => {
    const shown = await call({ method: 'POST', path: '/subscriptions', body: bodyOf(input) });
    return revealed(at.moment, shown);
  }),
  replaceSubscription: command(rest, async ({ id, input }: Id & { input: Input }, call, at) => {
    await call({ method: 'PUT', path: `/subscriptions/${id}`, body: bodyOf(input) });
    return seen(at.moment, id);
  }),
  setSubscriptionEnabled: command(rest, async ({ id, isEnabled }: Id & { isEnabled: boolean }, call, at) => {
    await call({ method: 'PATCH', path: `/subscriptions/${id}`, body: { is_enabled: isEnabled } });
    return seen(at.moment, id);
  }),
  deleteSubscription: command(rest, async ({ id }: Id, call) => {
    await call({ method: 'DELETE', path: `/subscriptions/${id}` });
    return { id };
  }),
  rotateSubscriptionSecret: command(
    rest,
    async ({ id, overlapSeconds }: Id & { overlapSeconds?: number | null }, call, at) => {
      const body = { overlap_seconds: overlapSeconds ?? undefined };
      const shown = await call({ method: 'POST', path: `/subscriptions/${id}/secret/rotate`, body });
      return revealed(at.moment, shown);
    },
  ),
  revealSubscription: command(rest, async ({ id }: Id, call, at) => {
    const shown = await call({ method: 'GET', path: `/subscriptions/${id}` });
    if (shown.secret === null) throw hidden(at.context);
    return revealed(at.moment, shown);
  }),
});
