/** Asks for the password once more, for whatever is about secrets; one dialog serves the whole page. */
class Reauthentication {
  isAsking = $state(false);
  #answered: ((isConfirmed: boolean) => void)[] = [];

  /** Waits until the password was given, or not. Whoever asks while it is being asked gets the same answer. */
  ask(): Promise<boolean> {
    this.isAsking = true;
    return new Promise((resolve) => this.#answered.push(resolve));
  }

  answer(isConfirmed: boolean): void {
    this.isAsking = false;
    for (const resolve of this.#answered.splice(0)) resolve(isConfirmed);
  }
}

export const reauthentication = new Reauthentication();
