/**
 * Which deliveries are in memory, so that one found twice is sent once. What was settled is remembered while a reading of the
 * work list is under way that began before: its snapshot may be older than the settlement and still show the row.
 */
export class KnownDeliveries {
  readonly #active = new Map<string, number>();
  /** In the order in which they were settled. */
  readonly #settled = new Map<string, { readonly attemptNumber: number; readonly at: number }>();
  /** When each reading under way began, oldest first, on a clock that ticks with every reading. */
  readonly #readings = new Set<number>();
  #clock = 0;

  get size(): number {
    return this.#active.size;
  }

  /** How many settlements are kept in mind: never more than happen during the longest reading. */
  get remembered(): number {
    return this.#settled.size;
  }

  has(deliveryId: string): boolean {
    return this.#active.has(deliveryId);
  }

  /** Which attempt of it is in memory, if any. */
  attemptOf(deliveryId: string): number | undefined {
    return this.#active.get(deliveryId);
  }

  /** False when it is here already, or this very attempt is known to be over. */
  add(deliveryId: string, attemptNumber: number): boolean {
    if (this.#active.has(deliveryId)) return false;
    if ((this.#settled.get(deliveryId)?.attemptNumber ?? 0) >= attemptNumber) return false;
    this.#active.set(deliveryId, attemptNumber);
    return true;
  }

  /** Its request is recorded, whatever it came to. */
  settle(deliveryId: string, attemptNumber: number): void {
    this.#active.delete(deliveryId);
    if (this.#readings.size === 0) return;
    this.#settled.delete(deliveryId); // Setting it anew puts it last.
    this.#settled.set(deliveryId, { attemptNumber, at: this.#clock });
  }

  /** It was never sent, or is no longer ours. */
  drop(deliveryId: string): void {
    this.#active.delete(deliveryId);
  }

  /** Runs a reading of the work list, from before its snapshot until its rows are added. */
  async reading<T>(read: () => Promise<T>): Promise<T> {
    this.#clock += 1;
    const began = this.#clock;
    this.#readings.add(began);
    try {
      return await read();
    } finally {
      this.#readings.delete(began);
      this.#forget();
    }
  }

  #forget(): void {
    const oldest = this.#readings.values().next().value ?? Number.POSITIVE_INFINITY;
    for (const [deliveryId, { at }] of this.#settled) {
      if (at >= oldest) return;
      this.#settled.delete(deliveryId);
    }
  }
}
