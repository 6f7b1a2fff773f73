export type Phase = 'dns' | 'connect' | 'tls';
export type PhaseDurations = {
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
};

/** The stop-watch of one connection: what each phase took, and for the one under way what it has taken so far. */
export class Opening {
  readonly #durations: { dns: number | null; connect: number | null; tls: number | null };
  #phase: Phase | undefined;
  #since = 0;

  constructor() {
    this.#durations = { dns: null, connect: null, tls: null };
  }

  enter(phase: Phase, now: number): void {
    this.stop(now);
    this.#phase = phase;
    this.#since = now;
  }

  stop(now: number): void {
    if (this.#phase !== undefined) this.#durations[this.#phase] = now - this.#since;
    this.#phase = undefined;
  }

  durations(now: number): PhaseDurations {
    const { dns, connect, tls } = this.#durations;
    const running = (phase: Phase, done: number | null) => (this.#phase === phase ? now - this.#since : done);
    return { dnsMs: running('dns', dns), connectMs: running('connect', connect), tlsMs: running('tls', tls) };
  }
}
