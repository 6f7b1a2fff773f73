import { z } from 'zod';

/** NUL cannot be stored, half a surrogate pair cannot be sent: both are refused at the door. */
const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();
const UNSTORABLE = 'must be well-formed Unicode without NUL';

/** Text of a length counted in characters. */
export const text = (min: number, max: number) => z.string().min(min).max(max).refine(isStorable, UNSTORABLE);

export const uuid = () => z.guid().transform((id) => id.toLowerCase());

const ENTRIES_MAX = { labels: 10, metadata: 50 } as const;
const ENTRY_BYTES_MAX = 50;

const isEntry = (entry: string): boolean => {
  // Characters never outnumber bytes, so the common short text needs no counting.
  const fits = entry.length * 3 <= ENTRY_BYTES_MAX || Buffer.byteLength(entry) <= ENTRY_BYTES_MAX;
  return entry.length > 0 && fits && isStorable(entry);
};

/** A map of short texts: labels or metadata. `min` entries at least. */
export const entries = (kind: keyof typeof ENTRIES_MAX, min: number) =>
  z.record(z.string(), z.string()).superRefine((map, context) => {
    const keys = Object.keys(map);
    if (keys.length < min || keys.length > ENTRIES_MAX[kind])
      context.addIssue({
        code: 'custom',
        message: `must have ${min} to ${ENTRIES_MAX[kind]} entries`,
        params: { code: `${kind}-size`, min, max: ENTRIES_MAX[kind] },
      });
    for (const key of keys)
      if (!isEntry(key) || !isEntry(map[key] ?? ''))
        context.addIssue({
          code: 'custom',
          message: `keys and values must have 1 to ${ENTRY_BYTES_MAX} bytes of well-formed Unicode without NUL`,
          params: { code: `${kind}-property-length`, min: 1, max: ENTRY_BYTES_MAX },
        });
  });
