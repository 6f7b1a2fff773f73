/**
 * Which deliveries are in memory, so that one found twice is sent once. What was settled is remembered while any reading of
 * the work list is under way: its snapshot may be older than the settlement and still show the row.
 */
export class KnownDeliveries {
  readonly #active = new Map<string, number>();
  readonly #settled = new Map<string, number>();
  #readings = 0;

  get size(): number {
    return this.#active.size;
  }

  has(deliveryId: string): boolean {
    return this.#active.has(deliveryId);
  }

  /** False when it is here already, or this very attempt is known to be over. */
  add(deliveryId: string, attemptNumber: number): boolean {
    if (this.#active.has(deliveryId)) return false;
    if ((this.#settled.get(deliveryId) ?? 0) >= attemptNumber) return false;
    this.#active.set(deliveryId, attemptNumber);
    return true;
  }

  /** Its request is recorded, whatever it came to. */
  settle(deliveryId: string, attemptNumber: number): void {
    this.#active.delete(deliveryId);
    if (this.#readings > 0) this.#settled.set(deliveryId, attemptNumber);
  }

  /** It was never sent and is no longer ours. */
  drop(deliveryId: string): void {
    this.#active.delete(deliveryId);
  }

  /** Runs a reading of the work list, from before its snapshot until its rows are added. */
  async reading<T>(read: () => Promise<T>): Promise<T> {
    this.#readings += 1;
    try {
      return await read();
    } finally {
      this.#readings -= 1;
      if (this.#readings === 0) this.#settled.clear();
    }
  }
}
