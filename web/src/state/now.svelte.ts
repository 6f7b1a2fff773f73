/** The browser's clock, for relative times; ticks while the page is open. */
class Now {
  ms = $state(Date.now());

  constructor() {
    setInterval(() => {
      this.ms = Date.now();
    }, 10_000);
  }
}

export const now = new Now();
