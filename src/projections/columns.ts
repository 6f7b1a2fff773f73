/**
 * Values on their way into a batch statement. Postgres takes neither NUL nor half a surrogate pair, and a column that is
 * sent line by line takes no line break: one such value from a receiver or a producer must not stop a projection.
 */
const clean = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed();

/** Lines for `string_to_array($n, E'\n')`; read with NULLIF where the column may be null. */
export const textLines = (values: readonly (string | null)[]): string => {
  for (const value of values)
    if (value?.includes('\n')) throw new TypeError(`${JSON.stringify(value)} has a line break where none can be.`);
  return values.map((value) => value ?? '').join('\n');
};

/** Free text, which may break lines: each line is a JSON string or `null`, read with `(line::json #>> '{}')`. */
export const quotedLines = (values: readonly (string | null)[]): string =>
  values.map((value) => (value === null ? 'null' : JSON.stringify(clean(value)))).join('\n');

/** JSON of flat records; JSON.stringify breaks no line, and escapes only what may have to be cleaned. */
export const recordLines = (values: readonly Readonly<Record<string, string>>[]): string =>
  values
    .map((value) => {
      const text = JSON.stringify(value);
      if (!text.includes('\\u')) return text;
      return JSON.stringify(Object.fromEntries(Object.entries(value).map(([name, at]) => [clean(name), clean(at)])));
    })
    .join('\n');

const INSTANT_MIN = Date.parse('0001-01-01T00:00:00.000Z');
const INSTANT_MAX = Date.parse('9999-12-31T23:59:59.999Z');

/** An instant that somebody else wrote, as Postgres can take it; null when it cannot. */
export const foreignInstant = (value: string | null): string | null => {
  const ms = value === null ? Number.NaN : Date.parse(value);
  return ms >= INSTANT_MIN && ms <= INSTANT_MAX ? new Date(ms).toISOString() : null;
};

export { clean as cleanText };
