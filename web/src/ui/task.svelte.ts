import type { Failure } from '../api/failure.ts';

/** Something that a person asks for: under way, done, or refused with the reason. */
export class Task<Args extends readonly unknown[], Answer> {
  isUnderWay = $state(false);
  failure = $state.raw<Failure | null>(null);
  readonly #perform: (...args: Args) => Promise<Answer>;

  constructor(perform: (...args: Args) => Promise<Answer>) {
    this.#perform = perform;
  }

  /** The answer, or undefined when it was refused: then `failure` says why. */
  async run(...args: Args): Promise<Answer | undefined> {
    this.isUnderWay = true;
    this.failure = null;
    try {
      return await this.#perform(...args);
    } catch (error) {
      this.failure = error as Failure;
      return undefined;
    } finally {
      this.isUnderWay = false;
    }
  }
}

export const task = <Args extends readonly unknown[], Answer>(
  perform: (...args: Args) => Promise<Answer>,
): Task<Args, Answer> => new Task(perform);
