import { type Moment, see } from '../context.ts';
import { eventSeen } from '../event.ts';
import type { DeadLetterFilterInput, EventFilterInput } from '../filters.ts';
import type { CallRest } from '../rest.ts';
import type { Fields } from '../schema.ts';
import { command } from './command.ts';

type Id = { readonly id: string };
type OfApplication = { readonly applicationId?: string | null };
type SendEventInput = OfApplication & {
  readonly eventId?: string | null;
  readonly eventType: string;
  readonly payload: string;
  readonly payloadContentType?: string | null;
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly occurredAt?: Date | null;
};

const deliveryNow = async (moment: Moment, id: string) => see(moment, (await moment.reads.findDelivery(id)).delivery);

const eventFilterBody = ({ eventType, labels, from, to, status }: EventFilterInput) => ({
  event_type: eventType ?? undefined,
  labels: labels ?? undefined,
  from: from ?? undefined,
  to: to ?? undefined,
  delivery_status: status?.toLowerCase(),
});

const deadLetterFilterBody = ({ subscriptionId, eventType, reason, lastFailure, from, to }: DeadLetterFilterInput) => ({
  subscription_id: subscriptionId ?? undefined,
  event_type: eventType ?? undefined,
  reason: reason ?? undefined,
  last_failure: lastFailure ?? undefined,
  from: from ?? undefined,
  to: to ?? undefined,
});

/** As REST tells what a replay did. */
const replayResult = ({ replayed, skipped, has_more: hasMore = false }: Readonly<Record<string, unknown>>) => ({
  replayed,
  skipped,
  hasMore,
});

export const eventMutations = (rest: CallRest): Fields[string] => ({
  sendEvent: command(rest, async ({ input }: { input: SendEventInput }, call, at) => {
    const accepted = await call({
      method: 'POST',
      path: '/event',
      body: {
        application_id: input.applicationId ?? undefined,
        event_id: input.eventId ?? undefined,
        event_type: input.eventType,
        payload: input.payload,
        payload_content_type: input.payloadContentType ?? undefined,
        labels: input.labels ?? undefined,
        metadata: input.metadata ?? undefined,
        occurred_at: input.occurredAt ?? undefined,
      },
    });
    return eventSeen({
      moment: at.moment,
      applicationId: String(accepted.application_id),
      eventId: String(accepted.event_id),
    });
  }),
  sendTestEvent: command(
    rest,
    async (given: { subscriptionId: string; eventType?: string | null; payload?: string | null }, call, { moment }) => {
      const body = { event_type: given.eventType ?? undefined, payload: given.payload ?? undefined };
      const made = await call({ method: 'POST', path: `/subscriptions/${given.subscriptionId}/test`, body });
      return deliveryNow(moment, String(made.delivery_id));
    },
  ),
  replayEvent: command(rest, async ({ id, applicationId }: Id & OfApplication, call) =>
    replayResult(
      await call({
        method: 'POST',
        path: `/events/${id}/replay`,
        body: { application_id: applicationId ?? undefined },
        prefer: 'return=representation',
      }),
    ),
  ),
  replayEvents: command(
    rest,
    async (
      given: OfApplication & { filter: EventFilterInput; subscriptionId?: string | null; expected: number },
      call,
    ) =>
      replayResult(
        await call({
          method: 'POST',
          path: '/event_replays',
          body: {
            application_id: given.applicationId ?? undefined,
            filter: eventFilterBody(given.filter),
            subscription_id: given.subscriptionId ?? undefined,
            expected: given.expected,
          },
        }),
      ),
  ),
});

export const deliveryMutations = (rest: CallRest): Fields[string] => ({
  ...Object.fromEntries(
    (['retry', 'cancel', 'replay'] as const).map((verb) => [
      `${verb}Delivery`,
      command(rest, async ({ id }: Id, call, at) => {
        await call({ method: 'POST', path: `/deliveries/${id}/${verb}`, body: {} });
        return deliveryNow(at.moment, id);
      }),
    ]),
  ),
  replayDeadLetters: command(
    rest,
    async ({ applicationId, filter }: OfApplication & { filter?: DeadLetterFilterInput | null }, call) =>
      replayResult(
        await call({
          method: 'POST',
          path: '/dead_letters/replay',
          body: { application_id: applicationId ?? undefined, filter: deadLetterFilterBody(filter ?? {}) },
        }),
      ),
  ),
});
