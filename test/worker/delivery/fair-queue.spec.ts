import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FairQueue,
  type FairQueueOptions,
  forgetOldBody,
  type SubscriptionQueue,
} from '#src/worker/delivery/fair-queue.ts';
import { pendingDelivery } from './pending.ts';

const ROOMY: FairQueueOptions = {
  inFlightMax: 1_000,
  inFlightPerApplicationMax: 1_000,
  inFlightPerSubscriptionMax: 1_000,
};
const QUEUED_MAX = 1_024;

const queueWith = (options: Partial<FairQueueOptions> = {}): FairQueue => new FairQueue({ ...ROOMY, ...options });
/** `a1:x` is delivery x of subscription a1, which belongs to application a. */
const push = (queue: FairQueue, ...names: string[]): boolean[] =>
  names.map((name) => {
    const [subscriptionId = ''] = name.split(':');
    const pending = pendingDelivery({
      deliveryId: name,
      subscriptionId,
      applicationId: subscriptionId.slice(0, 1),
      partition: subscriptionId.length,
    });
    return queue.push({ pending, body: undefined });
  });
const takeAll = (queue: FairQueue): { id: string; of: SubscriptionQueue }[] => {
  const taken: { id: string; of: SubscriptionQueue }[] = [];
  for (let next = queue.next(); next; next = queue.next())
    taken.push({ id: next.item.pending.deliveryId, of: next.queue });
  return taken;
};
const ids = (taken: readonly { id: string }[]): string[] => taken.map(({ id }) => id);

describe('payloads in memory', () => {
  it('are let go of wherever an event waits, and nothing else is', () => {
    const queue = queueWith();
    const wait = (deliveryId: string, applicationId: string, eventId: string) => {
      const pending = pendingDelivery({ deliveryId, subscriptionId: deliveryId, applicationId, eventId });
      queue.push({ pending, body: Buffer.from('12345') });
    };
    wait('a1', 'a', 'x');
    wait('a2', 'a', 'x');
    wait('a3', 'a', 'y');
    wait('b1', 'b', 'x');
    expect(queue.forgetBody({ applicationId: 'a', eventId: 'x' })).toBe(10);
    expect(queue.forgetBody({ applicationId: 'a', eventId: 'x' })).toBe(0);
    const kept: string[] = [];
    for (let next = queue.next(); next; next = queue.next())
      if (next.item.body) kept.push(next.item.pending.deliveryId);
    expect(kept.sort()).toEqual(['a3', 'b1']);
  });

  it('are good for a time', () => {
    const item = { pending: pendingDelivery({}), body: Buffer.from('1') as Buffer | undefined, bodyUntilMs: 2_000 };
    forgetOldBody(item, 2_000);
    expect(item.body).toBeDefined();
    forgetOldBody(item, 2_001);
    expect(item.body).toBeUndefined();
  });
});

describe('turns', () => {
  it('go from application to application, however much one has', () => {
    const queue = queueWith();
    push(queue, 'a1:1', 'a1:2', 'a1:3', 'b1:1', 'c1:1');
    expect(ids(takeAll(queue))).toEqual(['a1:1', 'b1:1', 'c1:1', 'a1:2', 'a1:3']);
  });

  it('go from subscription to subscription within an application', () => {
    const queue = queueWith();
    push(queue, 'a1:1', 'a1:2', 'a2:1', 'a2:2', 'b1:1', 'b1:2');
    expect(ids(takeAll(queue))).toEqual(['a1:1', 'b1:1', 'a2:1', 'b1:2', 'a1:2', 'a2:2']);
  });

  it('keep the order within a subscription', () => {
    const queue = queueWith();
    const names = Array.from({ length: 200 }, (_, index) => `a1:${index}`);
    push(queue, ...names);
    expect(ids(takeAll(queue))).toEqual(names);
  });
});

describe('caps', () => {
  it('of all requests in flight', () => {
    const queue = queueWith({ inFlightMax: 2 });
    push(queue, 'a1:1', 'b1:1', 'c1:1');
    const taken = takeAll(queue);
    expect(ids(taken)).toEqual(['a1:1', 'b1:1']);
    expect(queue.inFlight).toBe(2);
    queue.release(taken[0]?.of as SubscriptionQueue);
    expect(ids(takeAll(queue))).toEqual(['c1:1']);
  });

  it('of an application, over all its subscriptions', () => {
    const queue = queueWith({ inFlightPerApplicationMax: 2 });
    push(queue, 'a1:1', 'a2:1', 'a3:1', 'b1:1');
    const taken = takeAll(queue);
    expect(ids(taken)).toEqual(['a1:1', 'b1:1', 'a2:1']);
    queue.release(taken[0]?.of as SubscriptionQueue);
    expect(ids(takeAll(queue))).toEqual(['a3:1']);
  });

  it('of a subscription, which may change while requests are in flight', () => {
    const queue = queueWith({ inFlightPerSubscriptionMax: 2 });
    push(queue, 'a1:1', 'a1:2', 'a1:3', 'a1:4');
    const taken = takeAll(queue);
    expect(ids(taken)).toEqual(['a1:1', 'a1:2']);
    const of = taken[0]?.of as SubscriptionQueue;
    queue.setCap(of, 1);
    queue.release(of);
    expect(takeAll(queue)).toEqual([]);
    queue.setCap(of, 2);
    expect(ids(takeAll(queue))).toEqual(['a1:3']);
    queue.setCap(of, null);
    queue.release(of);
    expect(ids(takeAll(queue))).toEqual(['a1:4']);
  });
});

describe('a full queue', () => {
  it('refuses what is above its length and remembers that there is more', () => {
    const queue = queueWith();
    expect(push(queue, ...Array.from({ length: QUEUED_MAX }, (_, index) => `a1:${index}`))).not.toContain(false);
    const of = queue.find('a1') as SubscriptionQueue;
    expect([of.isFull, of.hasBacklog]).toEqual([true, false]);
    expect(push(queue, 'a1:more', 'a2:1')).toEqual([false, true]);
    expect([of.length, of.hasBacklog, queue.queued]).toEqual([QUEUED_MAX, true, QUEUED_MAX + 1]);
  });

  it('is not forgotten while it has a backlog or is being loaded', () => {
    const queue = queueWith();
    push(queue, 'a1:1');
    const [taken] = takeAll(queue);
    const of = taken?.of as SubscriptionQueue;
    of.hasBacklog = true;
    queue.release(of);
    expect(queue.find('a1')).toBe(of);
    of.hasBacklog = false;
    of.isLoading = true;
    queue.forgetIfIdle(of);
    expect(queue.find('a1')).toBe(of);
    of.isLoading = false;
    queue.forgetIfIdle(of);
    expect(queue.find('a1')).toBeUndefined();
  });
});

describe('what is taken out before its turn', () => {
  it('of a lost log partition is dropped, and nothing else', () => {
    const queue = queueWith({ inFlightPerSubscriptionMax: 1 });
    push(queue, 'a1:1', 'a1:2', 'b1:1', 'a10:1', 'a10:2');
    const taken = takeAll(queue);
    expect(ids(taken)).toEqual(['a1:1', 'b1:1', 'a10:1']);
    expect(queue.dropPartition(2).map(({ pending }) => pending.deliveryId)).toEqual(['a1:2']);
    expect([queue.queued, queue.inFlight]).toEqual([1, 3]);
    for (const { of } of taken) queue.release(of);
    expect(queue.find('a1')).toBeUndefined();
    expect(ids(takeAll(queue))).toEqual(['a10:2']);
  });

  it('is a single delivery, wherever it stands', () => {
    const queue = queueWith();
    push(queue, 'a1:1', 'a1:2', 'a1:3');
    expect(queue.withdraw('a1', 'a1:2')?.pending.deliveryId).toBe('a1:2');
    expect(queue.withdraw('a1', 'a1:2')).toBeUndefined();
    expect(queue.withdraw('a9', 'a9:1')).toBeUndefined();
    expect(queue.queued).toBe(2);
    expect(ids(takeAll(queue))).toEqual(['a1:1', 'a1:3']);
  });

  it('leaves nothing behind when it was the last', () => {
    const queue = queueWith();
    push(queue, 'a1:1');
    queue.withdraw('a1', 'a1:1');
    expect([queue.queued, queue.find('a1'), queue.next()]).toEqual([0, undefined, undefined]);
  });
});

type Step =
  | { readonly do: 'push' | 'withdraw'; readonly subscription: number }
  | { readonly do: 'next' }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'cap'; readonly subscription: number; readonly cap: number }
  | { readonly do: 'drop'; readonly partition: number };

const SUBSCRIPTIONS = ['a1', 'a2', 'a30', 'b1', 'b20', 'c1'];
const subscription = fc.nat(SUBSCRIPTIONS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('push' as const), subscription }) },
  { weight: 6, arbitrary: fc.constant({ do: 'next' as const }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('withdraw' as const), subscription }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cap' as const), subscription, cap: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), partition: fc.constantFrom(2, 3) }) },
);

describe('whatever happens', () => {
  it('no cap is exceeded, nothing is lost or comes twice, and everybody is served in turn', () =>
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.record({
          inFlightMax: fc.integer({ min: 1, max: 12 }),
          inFlightPerApplicationMax: fc.integer({ min: 1, max: 6 }),
          inFlightPerSubscriptionMax: fc.integer({ min: 1, max: 4 }),
        }),
        (steps, options) => {
          const queue = new FairQueue(options);
          const model = new Map(SUBSCRIPTIONS.map((name) => [name, [] as string[]]));
          const inFlight: { id: string; of: SubscriptionQueue }[] = [];
          const caps = new WeakMap<SubscriptionQueue, number>();
          const capOf = (of: SubscriptionQueue): number => caps.get(of) ?? options.inFlightPerSubscriptionMax;
          const flightsOf = (match: (id: string) => boolean): number => inFlight.filter(({ id }) => match(id)).length;
          let made = 0;
          const take = (): string | undefined => {
            const next = queue.next();
            if (!next) return undefined;
            const id = next.item.pending.deliveryId;
            const [name = ''] = id.split(':');
            expect(model.get(name)?.shift()).toBe(id);
            inFlight.push({ id, of: next.queue });
            expect(inFlight.length).toBeLessThanOrEqual(options.inFlightMax);
            expect(flightsOf((other) => other[0] === id[0])).toBeLessThanOrEqual(options.inFlightPerApplicationMax);
            expect(flightsOf((other) => other.startsWith(`${name}:`))).toBeLessThanOrEqual(capOf(next.queue));
            return name;
          };
          const mayGo = (name: string): boolean => {
            const of = queue.find(name);
            return (
              (model.get(name)?.length ?? 0) > 0 &&
              of !== undefined &&
              of.inFlight < capOf(of) &&
              inFlight.length < options.inFlightMax &&
              flightsOf((id) => id[0] === name[0]) < options.inFlightPerApplicationMax
            );
          };
          for (const at of steps) {
            switch (at.do) {
              case 'push': {
                made += 1;
                const name = SUBSCRIPTIONS[at.subscription] ?? '';
                model.get(name)?.push(`${name}:${made}`);
                expect(push(queue, `${name}:${made}`)).toEqual([true]);
                break;
              }
              case 'next': {
                const ready = SUBSCRIPTIONS.some(mayGo);
                expect(take() !== undefined).toBe(ready);
                break;
              }
              case 'release': {
                const [done] = inFlight.splice(at.which % Math.max(1, inFlight.length), 1);
                if (done) queue.release(done.of);
                break;
              }
              case 'withdraw': {
                const name = SUBSCRIPTIONS[at.subscription] ?? '';
                const id = model.get(name)?.pop();
                if (id !== undefined) expect(queue.withdraw(name, id)?.pending.deliveryId).toBe(id);
                break;
              }
              case 'cap': {
                const of = queue.find(SUBSCRIPTIONS[at.subscription] ?? '');
                // Raised only while nothing is in flight, so that the model's check stays exact.
                if (!of || of.inFlight > at.cap) break;
                caps.set(of, at.cap);
                queue.setCap(of, at.cap);
                break;
              }
              case 'drop': {
                const dropped = queue.dropPartition(at.partition).map(({ pending }) => pending.deliveryId);
                const names = SUBSCRIPTIONS.filter((name) => name.length === at.partition);
                expect(dropped.sort()).toEqual(names.flatMap((name) => model.get(name) ?? []).sort());
                for (const name of names) model.set(name, []);
                break;
              }
            }
            expect(queue.inFlight).toBe(inFlight.length);
            expect(queue.queued).toBe([...model.values()].reduce((sum, items) => sum + items.length, 0));
          }
          // With room made after each request, whoever has anything is served within one round of everybody else.
          for (const { of } of inFlight.splice(0)) queue.release(of);
          const waited = new Map<string, number>();
          for (;;) {
            const ready = SUBSCRIPTIONS.filter(mayGo);
            const served = take();
            if (served === undefined) break;
            for (const name of ready) waited.set(name, name === served ? 0 : (waited.get(name) ?? 0) + 1);
            expect(Math.max(...waited.values())).toBeLessThanOrEqual(SUBSCRIPTIONS.length * 3);
            for (const { of } of inFlight.splice(0)) queue.release(of);
          }
          const capped = SUBSCRIPTIONS.filter((name) => (model.get(name)?.length ?? 0) > 0);
          for (const name of capped) expect(capOf(queue.find(name) as SubscriptionQueue)).toBe(0);
        },
      ),
      { numRuns: 400 },
    ));
});
