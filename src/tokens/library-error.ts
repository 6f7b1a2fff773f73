/** For people: names of errors and what they carry. biscuit-wasm throws its own as plain values. */
export const textOfError = (error: unknown): string =>
  error instanceof Error ? error.message : (JSON.stringify(error) ?? String(error));
