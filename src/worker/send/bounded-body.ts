const EMPTY = Buffer.alloc(0);

/** Keeps the first bytes of an answer. They are copied, since a slice would keep the whole read buffer alive. */
export class BoundedBody {
  readonly #bytesMax: number;
  #bytes = EMPTY;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** False when not all of it fitted. */
  append(chunk: Buffer): boolean {
    const wanted = Math.min(this.#length + chunk.length, this.#bytesMax);
    if (wanted > this.#bytes.length) this.#grow(wanted);
    chunk.copy(this.#bytes, this.#length, 0, wanted - this.#length);
    const fitted = this.#length + chunk.length <= this.#bytesMax;
    this.#length = wanted;
    return fitted;
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** By doubling: a body that comes byte by byte must not be copied for each of them. */
  #grow(wanted: number): void {
    const first = this.#bytes.length === 0;
    const grown = Buffer.allocUnsafe(
      first ? wanted : Math.min(Math.max(wanted, 2 * this.#bytes.length), this.#bytesMax),
    );
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
