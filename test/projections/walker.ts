import {
  attemptFailed,
  attemptRescheduled,
  attemptScheduled,
  attemptSucceeded,
  deliveryCancelled,
  deliveryDeadLettered,
  eventIngested,
  eventOf,
  type Fact,
  idOf,
  later,
} from '#test/support/builders.ts';

export const DELIVERY_ACTIONS = ['succeed', 'fail', 'give up', 'fail and cancel', 'cancel', 'move', 'replay'] as const;
export type DeliveryAction = (typeof DELIVERY_ACTIONS)[number];

/** Walks one delivery through its states; a step that is not possible in a state does nothing, as the decider has it. */
export const deliveryWalker = (index: number) => {
  // Two deliveries each share an event.
  const subscription = idOf(`subscription ${index % 2}`);
  const of = eventOf(`event ${Math.floor(index / 2)}`, { subscription });
  let attemptNumber = 0;
  let isPending = false;
  let dueMs = 0;
  return ({ action }: { readonly action: DeliveryAction }, ms: number): Fact[] => {
    const at = later(ms);
    const current = of.attempt(attemptNumber, later(attemptNumber));
    const next = (trigger: 'ingest' | 'retry' | 'replay', retryCount: number): Fact => {
      attemptNumber += 1;
      isPending = true;
      dueMs = ms + retryCount * 1000;
      const dueAt = later(dueMs);
      return attemptScheduled({
        ...of.attempt(attemptNumber, later(attemptNumber)),
        trigger,
        retryCount,
        scheduledAt: at,
        dueAt,
      });
    };
    if (attemptNumber === 0)
      return [
        ...(index % 2 === 0 ? [eventIngested({ ...of.event, receivedAt: at })] : []),
        next(action === 'replay' ? 'replay' : 'ingest', 0),
      ];
    if (!isPending) return action === 'replay' ? [next('replay', 0)] : [];
    const failed = attemptFailed({
      ...current,
      finishedAt: at,
      message: `at ${ms}\n`,
      reason: ms % 3 === 0 ? 'timeout' : 'status',
    });
    switch (action) {
      case 'succeed':
        isPending = false;
        return [attemptSucceeded({ ...current, finishedAt: at })];
      case 'fail':
        return [failed, next('retry', attemptNumber)];
      case 'give up':
        isPending = false;
        return [failed, deliveryDeadLettered({ ...of.delivery, attempts: attemptNumber, deadLetteredAt: at })];
      case 'fail and cancel':
        isPending = false;
        return [failed, deliveryCancelled({ ...of.delivery, cancelledAt: at })];
      case 'cancel':
        isPending = false;
        return [deliveryCancelled({ ...of.delivery, cancelledAt: at })];
      case 'move':
      case 'replay':
        // What is due already is not moved: it would be put off.
        if (dueMs <= ms) return [];
        dueMs = ms;
        return [attemptRescheduled({ ...current, dueAt: at, rescheduledAt: at })];
    }
  };
};
