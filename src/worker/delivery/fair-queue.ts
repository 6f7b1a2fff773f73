import type { PendingDelivery } from '../../worklist/pending-delivery.ts';

/** A delivery in memory: queued, or with a request in flight. */
export type WorkItem = {
  readonly pending: PendingDelivery;
  /** The payload, when it was handed over together with the delivery. */
  body: Buffer | undefined;
  /** By the database's clock. After that it may have been erased by another process. */
  readonly bodyUntilMs?: number;
};

/** Lets go of a payload that is in memory for too long. */
export const forgetOldBody = (item: WorkItem, nowMs: number): void => {
  if (nowMs > (item.bodyUntilMs ?? Number.POSITIVE_INFINITY)) item.body = undefined;
};

/** Deliveries of one subscription kept in memory; the rest stays in the work list until there is room. */
const QUEUED_PER_SUBSCRIPTION_MAX = 1_024;

export class SubscriptionQueue {
  readonly subscriptionId: string;
  readonly application: ApplicationQueue;
  readonly partition: number;
  /** Requests in flight at once at most; follows the subscription's setting. */
  cap: number;
  inFlight = 0;
  /** True while the work list may hold due deliveries that are not in memory. */
  hasBacklog = false;
  isLoading = false;
  readonly #items: WorkItem[] = [];
  #head = 0;

  constructor(subscriptionId: string, partition: number, application: ApplicationQueue, cap: number) {
    this.subscriptionId = subscriptionId;
    this.partition = partition;
    this.application = application;
    this.cap = cap;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get isFull(): boolean {
    return this.length >= QUEUED_PER_SUBSCRIPTION_MAX;
  }

  get isReady(): boolean {
    return this.length > 0 && this.inFlight < this.cap;
  }

  push(item: WorkItem): void {
    this.#items.push(item);
  }

  shift(): WorkItem | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  withdraw(deliveryId: string): WorkItem | undefined {
    const index = this.#items.findIndex(({ pending }, at) => at >= this.#head && pending.deliveryId === deliveryId);
    return index === -1 ? undefined : this.#items.splice(index, 1)[0];
  }

  /** Lets go of the payload of an event; bytes that were freed. */
  forgetBody(eventId: string): number {
    let bytes = 0;
    for (const item of this.#items.slice(this.#head)) {
      if (item.pending.eventId !== eventId || !item.body) continue;
      bytes += item.body.length;
      item.body = undefined;
    }
    return bytes;
  }

  /** Empties the queue and returns what was in it. */
  clear(): WorkItem[] {
    const items = this.#items.slice(this.#head);
    this.#items.length = 0;
    this.#head = 0;
    return items;
  }
}

type ApplicationQueue = {
  readonly applicationId: string;
  inFlight: number;
  subscriptions: number;
  /** Subscriptions with something to send and room to send it, in turn. */
  readonly ready: Set<SubscriptionQueue>;
};

export type FairQueueOptions = {
  /** Requests in flight over all. */
  readonly inFlightMax: number;
  /** Of one application: a tenant whose receivers all hang leaves the rest to the others. */
  readonly inFlightPerApplicationMax: number;
  readonly inFlightPerSubscriptionMax: number;
};

/**
 * Decides what is sent next: applications take turns, within each its subscriptions do, and each has its cap of requests
 * in flight. Every step is constant time, however many queues there are.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #applications = new Map<string, ApplicationQueue>();
  readonly #subscriptions = new Map<string, SubscriptionQueue>();
  readonly #ready = new Set<ApplicationQueue>();
  #inFlight = 0;
  #queued = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queued;
  }

  subscriptions(): IterableIterator<SubscriptionQueue> {
    return this.#subscriptions.values();
  }

  find(subscriptionId: string): SubscriptionQueue | undefined {
    return this.#subscriptions.get(subscriptionId);
  }

  /** The queue of a subscription, made when it is the first time. */
  queueOf(of: { subscriptionId: string; applicationId: string; partition: number }): SubscriptionQueue {
    const known = this.#subscriptions.get(of.subscriptionId);
    if (known) return known;
    let application = this.#applications.get(of.applicationId);
    if (!application) {
      application = { applicationId: of.applicationId, inFlight: 0, subscriptions: 0, ready: new Set() };
      this.#applications.set(of.applicationId, application);
    }
    application.subscriptions += 1;
    const made = new SubscriptionQueue(
      of.subscriptionId,
      of.partition,
      application,
      this.#options.inFlightPerSubscriptionMax,
    );
    this.#subscriptions.set(of.subscriptionId, made);
    return made;
  }

  /** False when the subscription has as many in memory as it may: then its backlog is remembered instead. */
  push(item: WorkItem): boolean {
    const queue = this.queueOf(item.pending);
    if (queue.isFull) {
      queue.hasBacklog = true;
      return false;
    }
    queue.push(item);
    this.#queued += 1;
    this.#settleReadiness(queue);
    return true;
  }

  /** Takes the next delivery to be sent and counts it as in flight; undefined when nothing may be started now. */
  next(): { item: WorkItem; queue: SubscriptionQueue } | undefined {
    if (this.#inFlight >= this.#options.inFlightMax) return undefined;
    const application = first(this.#ready);
    const queue = application && first(application.ready);
    const item = queue?.shift();
    if (!application || !queue || !item) return undefined;
    this.#queued -= 1;
    this.#inFlight += 1;
    application.inFlight += 1;
    queue.inFlight += 1;
    // Both go to the end of their rows, if they may stay in them at all.
    application.ready.delete(queue);
    this.#ready.delete(application);
    this.#settleReadiness(queue);
    return { item, queue };
  }

  /** A request is over. */
  release(queue: SubscriptionQueue): void {
    this.#inFlight -= 1;
    queue.application.inFlight -= 1;
    queue.inFlight -= 1;
    this.#settleReadiness(queue);
    this.forgetIfIdle(queue);
  }

  setCap(queue: SubscriptionQueue, cap: number | null): void {
    queue.cap = cap ?? this.#options.inFlightPerSubscriptionMax;
    this.#settleReadiness(queue);
  }

  /** Drops what is queued for one log partition, which another worker owns by now. */
  dropPartition(partition: number): WorkItem[] {
    const dropped: WorkItem[] = [];
    for (const queue of [...this.#subscriptions.values()]) {
      if (queue.partition !== partition) continue;
      dropped.push(...queue.clear());
      queue.hasBacklog = false;
      this.#settleReadiness(queue);
      this.forgetIfIdle(queue);
    }
    this.#queued -= dropped.length;
    return dropped;
  }

  /** Lets go of the payload of an event, in whatever queue it waits; bytes that were freed. */
  forgetBody({ applicationId, eventId }: { readonly applicationId: string; readonly eventId: string }): number {
    let bytes = 0;
    for (const queue of this.#subscriptions.values())
      if (queue.application.applicationId === applicationId) bytes += queue.forgetBody(eventId);
    return bytes;
  }

  /** Takes a delivery out before its turn; undefined when it is not queued. */
  withdraw(subscriptionId: string, deliveryId: string): WorkItem | undefined {
    const queue = this.#subscriptions.get(subscriptionId);
    const item = queue?.withdraw(deliveryId);
    if (!queue || !item) return undefined;
    this.#queued -= 1;
    this.#settleReadiness(queue);
    this.forgetIfIdle(queue);
    return item;
  }

  forgetIfIdle(queue: SubscriptionQueue): void {
    if (queue.length > 0 || queue.inFlight > 0 || queue.hasBacklog || queue.isLoading) return;
    if (!this.#subscriptions.delete(queue.subscriptionId)) return;
    queue.application.subscriptions -= 1;
    if (queue.application.subscriptions === 0) this.#applications.delete(queue.application.applicationId);
  }

  #settleReadiness(queue: SubscriptionQueue): void {
    const { application } = queue;
    if (queue.isReady) application.ready.add(queue);
    else application.ready.delete(queue);
    if (application.ready.size > 0 && application.inFlight < this.#options.inFlightPerApplicationMax)
      this.#ready.add(application);
    else this.#ready.delete(application);
  }
}

const first = <T>(set: ReadonlySet<T>): T | undefined => set.values().next().value;
