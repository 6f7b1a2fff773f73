/** One event as its producer knows it: the outside truth that everything is compared with. */
export type Entry = {
  readonly eventId: string;
  /** Of the payload's exact bytes. */
  readonly sha256: string;
  /** Of `performance.now()`, when it was sent for the first time. */
  readonly sentAtMs: number;
  acknowledgedAtMs: number | undefined;
  /** `abandoned`: its producer gave up without an answer, so that it may or may not be there. */
  state: 'sent' | 'acknowledged' | 'abandoned';
  /** Every status it was answered with, in order; 0 for a broken connection. */
  readonly answers: number[];
  /** The beginning of an answer that nobody expects. */
  surprise?: string;
};

export type Ledger = {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly add: (eventId: string, sha256: string) => Entry;
  readonly acknowledged: () => number;
  /** How often events were answered so; 0 for a broken connection. */
  readonly answered: (status: number) => number;
};

export const createLedger = (): Ledger => {
  const entries = new Map<string, Entry>();
  const count = (of: (entry: Entry) => number): number =>
    [...entries.values()].reduce((sum, entry) => sum + of(entry), 0);
  return {
    entries,
    add: (eventId, sha256) => {
      const sentAtMs = performance.now();
      const entry: Entry = { eventId, sha256, sentAtMs, acknowledgedAtMs: undefined, state: 'sent', answers: [] };
      entries.set(eventId, entry);
      return entry;
    },
    acknowledged: () => count(({ state }) => (state === 'acknowledged' ? 1 : 0)),
    answered: (status) => count(({ answers }) => answers.filter((answer) => answer === status).length),
  };
};
