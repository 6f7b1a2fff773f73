import { watch } from '../../graphql/client.svelte.ts';
import { type Delivery, LIVE_DELIVERY } from './queries.ts';

/** What happens comes a little before the read model has it. */
const FIRST_LOOK_MS = 50;
const LOOK_AGAIN_MS = 250;
const LOOKS_MAX = 12;

/** Calls `refresh` when something has happened to the delivery, until the delivery shown is as far. Answers how to stop. */
export const follow = (
  delivery: Delivery,
  shown: () => Delivery | null,
  refresh: () => Promise<void>,
): (() => void) => {
  let position: string | null = null;
  let wanted = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async (looks: number): Promise<void> => {
    await refresh();
    timer = undefined;
    if ((shown()?.position.position ?? 0) < wanted && looks < LOOKS_MAX)
      timer = setTimeout(() => void look(looks + 1), LOOK_AGAIN_MS);
  };
  const stop = watch(
    LIVE_DELIVERY,
    () => ({
      application: delivery.applicationId,
      filter: { eventId: delivery.eventId, subscriptionId: delivery.subscriptionId },
      after: position,
    }),
    ({ deliveries: batch }) => {
      position = batch.position;
      for (const item of batch.items) if (item.id === delivery.id) wanted = Math.max(wanted, item.position.position);
      if (batch.items.length > 0) timer ??= setTimeout(() => void look(1), FIRST_LOOK_MS);
    },
    () => undefined,
  );
  return () => {
    stop();
    clearTimeout(timer);
  };
};
