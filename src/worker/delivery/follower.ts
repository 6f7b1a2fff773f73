import { setTimeout as sleep } from 'node:timers/promises';
import type { HeadPosition } from '../../eventstore/read.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import type { ConfigurationCache } from '../../projections/configuration/cache.ts';
import {
  ANY_TIME,
  BEFORE_ALL,
  type DueCursor,
  type PendingDelivery,
  type WorkListQueries,
} from '../../worklist/pending-delivery.ts';
import { cancelReasonFor } from './attempt.ts';
import type { Engine } from './engine.ts';
import type { SubscriptionQueue } from './fair-queue.ts';

const DUE_PAGE = 500;
const LOAD_PAGE = 512;
const CANCEL_PAGE = 200;
const TAKE_PAGE = 200;
/** Subscriptions whose backlog is read at the same time. */
const LOADS_MAX = 4;
/**
 * How far ahead of the due cursor a backlog is read: first attempts are due at once, but the cursor moves only with each
 * scan. Retries in that stretch are left to the scan.
 */
const AHEAD_MS = 5_000;
/** The longest between two looks at what has become due; a retry of this process is met at its very time. */
const DUE_POLL_MS = 250;
/** Past it a range of the log is read in pieces. */
const FOLLOW_POSITIONS_MAX = 5_000;
const FAULT_RETRY_MS = 1_000;

/** What a commit hands over together with a scheduled attempt, so that nothing is read back. */
export type Handover = { readonly pending: PendingDelivery; readonly body: Buffer | undefined };

type Following = {
  readonly partition: number;
  /** Everything scheduled up to here has been offered. */
  position: number;
  /** Highest position known to exist. */
  head: number;
  isFollowing: boolean;
  /** Retries up to here have been offered. */
  due: DueCursor;
  /** Up to where the scan under way looks, or the last one did: it may have read before a retry came that is due by then. */
  scannedUntil: string;
};

/** Scheduled by a command without a hand-over: the work list has to be asked. The engine knows of its own retries. */
const mustBeRead = ({ type, data }: RecordedEvent): boolean =>
  type === 'AttemptRescheduled' || (type === 'AttemptScheduled' && data.trigger !== 'retry');

export type Follower = {
  /** Begins with a partition just taken: everything due is offered, and nothing after is missed. */
  take(partition: number, head: number): Promise<void>;
  leave(partition: number): void;
  noticeCommit(events: readonly RecordedEvent[]): void;
  notice(heads: readonly HeadPosition[]): void;
  start(): void;
  stop(): void;
};

/**
 * Finds what the engine has to send. First attempts come from the log: in memory from commits of this process, or by
 * following the positions of each owned partition. Retries come by their due time from the work list. Both are exact:
 * positions are dense, and a row seen by neither is one whose due time lies ahead.
 */
export const createFollower = ({
  engine,
  workList,
  configuration,
  databaseNow,
  onError,
}: {
  engine: Engine;
  workList: WorkListQueries;
  configuration: ConfigurationCache;
  databaseNow: () => number;
  onError: (error: unknown) => void;
}): Follower => {
  const following = new Map<number, Following>();
  let timer: NodeJS.Timeout | undefined;
  let timerAt = 0;
  let scanning = false;
  let stopped = false;
  const waitingLoads: SubscriptionQueue[] = [];
  let loads = 0;

  /** A retry that lies ahead of all scans so far is left to the next one, which will meet it. */
  const offer = (pending: PendingDelivery, { scannedUntil }: Following, body?: Buffer): void => {
    // ISO instants sort as text.
    if (pending.attemptNumber === 1 || pending.dueAt <= scannedUntil) engine.offer(pending, body);
    else wakeAt(Date.parse(pending.dueAt));
  };

  /** Tries until it is done or the partition left: what a fault skipped here would be found by nobody. */
  const untilDone = async (state: Following, step: () => Promise<void>): Promise<void> => {
    while (following.get(state.partition) === state) {
      try {
        return await step();
      } catch (error) {
        onError(error);
        await sleep(FAULT_RETRY_MS, undefined, { ref: false });
      }
    }
  };

  const follow = async (state: Following): Promise<void> => {
    if (state.isFollowing) return;
    state.isFollowing = true;
    try {
      while (state.position < state.head && following.get(state.partition) === state) {
        const upTo = Math.min(state.head, state.position + FOLLOW_POSITIONS_MAX);
        await engine.known.reading(async () => {
          for (const pending of await workList.findScheduled(state.partition, state.position, upTo))
            offer(pending, state);
        });
        state.position = upTo;
      }
    } catch (error) {
      onError(error);
    } finally {
      state.isFollowing = false;
    }
  };

  const scan = async (): Promise<void> => {
    if (scanning || stopped) return;
    scanning = true;
    try {
      const until = new Date(databaseNow()).toISOString();
      let open = [...following.values()];
      for (const state of open) if (state.scannedUntil < until) state.scannedUntil = until;
      while (open.length > 0) {
        const states = new Map(open.map((state) => [state.partition, state]));
        const counts = new Map<number, number>();
        const cursors = open.map(({ partition, due }) => ({ partition, ...due }));
        await engine.known.reading(async () => {
          for (const pending of await workList.findDueRetries(cursors, until, DUE_PAGE)) {
            const state = states.get(pending.partition);
            if (!state || following.get(pending.partition) !== state) continue;
            engine.offer(pending);
            state.due = { dueAt: pending.dueAt, deliveryId: pending.deliveryId };
            counts.set(pending.partition, (counts.get(pending.partition) ?? 0) + 1);
          }
        });
        for (const state of open) {
          if ((counts.get(state.partition) ?? 0) < DUE_PAGE) state.due = { ...BEFORE_ALL, dueAt: until };
        }
        open = open.filter(
          (state) => counts.get(state.partition) === DUE_PAGE && following.get(state.partition) === state,
        );
      }
    } catch (error) {
      onError(error);
    } finally {
      scanning = false;
      schedule(DUE_POLL_MS);
    }
  };

  const schedule = (inMs: number): void => {
    if (stopped) return;
    const at = databaseNow() + inMs;
    if (timer && timerAt <= at) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => {
      timer = undefined;
      void scan();
    }, inMs);
  };

  const wakeAt = (dueMs: number): void => {
    const inMs = dueMs - databaseNow();
    // A timer may fire a millisecond early; a scan that finds nothing yet would put it off to the next poll.
    if (inMs < DUE_POLL_MS) schedule(Math.max(0, Math.ceil(inMs) + 1));
  };

  const askForLoad = (queue: SubscriptionQueue): void => {
    if (queue.isLoading) return;
    queue.isLoading = true;
    waitingLoads.push(queue);
    startLoads();
  };

  const startLoads = (): void => {
    while (loads < LOADS_MAX) {
      const queue = waitingLoads.shift();
      if (!queue) return;
      loads += 1;
      void load(queue).finally(() => {
        loads -= 1;
        startLoads();
      });
    }
  };

  const load = async (queue: SubscriptionQueue): Promise<void> => {
    queue.hasBacklog = false;
    try {
      const state = following.get(queue.partition);
      if (!state) return;
      // What is in memory is in the work list too, and stands first: the page has to reach beyond it.
      const limit = LOAD_PAGE + queue.length + queue.inFlight;
      await engine.known.reading(async () => {
        const until = new Date(databaseNow() + AHEAD_MS).toISOString();
        const rows = await workList.findOfSubscription(queue.partition, queue.subscriptionId, BEFORE_ALL, until, limit);
        for (const pending of rows) offer(pending, state);
        if (rows.length === limit) queue.hasBacklog = true;
      });
    } catch (error) {
      queue.hasBacklog = true;
      onError(error);
    } finally {
      queue.isLoading = false;
      // With nothing in memory no request will end and ask for more.
      if (queue.hasBacklog && queue.length === 0 && queue.inFlight === 0) engine.lookAgainSoon(keyOf(queue));
      engine.queue.forgetIfIdle(queue);
      engine.pump();
    }
  };

  const keyOf = ({ subscriptionId, application, partition }: SubscriptionQueue) => ({
    subscriptionId,
    applicationId: application.applicationId,
    partition,
  });

  /** Ends everything of a subscription that was routed before it was disabled or deleted. */
  const cancelAll = async (partition: number, subscriptionId: string): Promise<void> => {
    const subscription = await configuration.subscription(subscriptionId);
    let after = BEFORE_ALL;
    for (;;) {
      const rows = await workList.findOfSubscription(partition, subscriptionId, after, ANY_TIME, CANCEL_PAGE);
      await Promise.all(
        rows.map((pending) => {
          const reason = cancelReasonFor(pending, subscription);
          return reason ? engine.cancel(pending, reason) : undefined;
        }),
      );
      const last = rows.at(-1);
      if (!last || rows.length < CANCEL_PAGE) return;
      after = { dueAt: last.dueAt, deliveryId: last.deliveryId };
    }
  };

  const resume = (state: Following, of: { subscriptionId: string; applicationId: string }): Promise<void> =>
    untilDone(state, async () => {
      const subscription = await configuration.subscription(of.subscriptionId);
      if (!subscription || subscription.isDeleted || subscription.disabledPosition > 0)
        await cancelAll(state.partition, of.subscriptionId);
      engine.lookAgain({ ...of, partition: state.partition });
    });

  /** A subscription disabled while the failure was being recorded found the delivery in flight, and left it alone. */
  const cancelIfGone = async (next: PendingDelivery): Promise<void> => {
    const reason = cancelReasonFor(
      next,
      await configuration.subscription(next.subscriptionId, next.configurationPosition),
    );
    if (reason) await engine.cancel(next, reason);
  };

  engine.onPostponed((next) => {
    const state = following.get(next.partition);
    if (!state) return;
    offer(next, state);
    void untilDone(state, () => cancelIfGone(next));
  });
  engine.onRoom(askForLoad);
  configuration.onSubscriptionChanged(({ subscriptionId, applicationId, disabledPosition, isDeleted }) => {
    const state = following.get(engine.partitionOf(subscriptionId));
    if (state && (disabledPosition > 0 || isDeleted)) void resume(state, { subscriptionId, applicationId });
  });

  return {
    take: async (partition, head) => {
      const now = new Date(databaseNow()).toISOString();
      const due = { ...BEFORE_ALL, dueAt: now };
      const state: Following = { partition, position: head, head, isFollowing: false, due, scannedUntil: now };
      following.set(partition, state);
      await untilDone(state, async () => {
        const subscriptions = await workList.findSubscriptions(partition);
        for (let at = 0; at < subscriptions.length && following.get(partition) === state; at += TAKE_PAGE)
          await Promise.all(subscriptions.slice(at, at + TAKE_PAGE).map((subscription) => resume(state, subscription)));
      });
    },
    leave: (partition) => following.delete(partition),
    noticeCommit: (events) => {
      for (const event of events) {
        if (event.type === 'EventPayloadErased')
          engine.forgetPayload({
            applicationId: String(event.data.applicationId),
            eventId: String(event.data.eventId),
          });
        const state = following.get(event.partition);
        if (!state) continue;
        state.head = Math.max(state.head, event.position);
        if (event.type === 'DeliveryCancelled')
          engine.withdraw(String(event.data.subscriptionId), String(event.data.deliveryId));
        if (event.position !== state.position + 1 || state.isFollowing) continue;
        const handover = event.attachment as Handover | undefined;
        if (handover) offer(handover.pending, state, handover.body);
        else if (mustBeRead(event)) continue;
        state.position = event.position;
      }
      for (const state of following.values()) if (state.position < state.head) void follow(state);
    },
    notice: (heads) => {
      for (const { partition, position } of heads) {
        const state = following.get(partition);
        if (!state) continue;
        state.head = Math.max(state.head, position);
        if (state.position < state.head) void follow(state);
      }
    },
    start: () => schedule(0),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
};
