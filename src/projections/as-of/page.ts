import { decodeCursor, encodeCursor, type Page, type PageRequest, rowsToRead } from '../page.ts';
import type { Cut } from './cut.ts';

/** Chunks one page reads at most, so that a page whose rows were nearly all under way at the cut stays bounded. */
const CHUNKS_MAX = 10;

/** The cursors of a list as of a cut are its own: neither the present nor another cut takes them. */
export const listAsOf = (list: string, { asOf }: Cut): string => `${list} as of ${asOf}`;

type Chunk<Row, Key> = {
  readonly rows: readonly Row[];
  /** Where the reading gave up looking for matches, if it did. */
  readonly scannedTo: Key | null;
};

/**
 * A page of a list as of a cut. `read` gives rows that may belong to it, in order, from behind a key; `settle` makes of each
 * what it was at the cut, or undefined for one that was not there or does not match as it was then.
 */
export const pageAsOf = async <Row, Key extends string | number, Found>({
  list,
  kind,
  cut,
  request: { cursor, limit },
  keyOf,
  read,
  settle,
}: {
  readonly list: string;
  readonly kind: Key extends number ? 'position' : 'uuid' | 'text';
  readonly cut: Cut;
  readonly request: PageRequest;
  readonly keyOf: (row: Row) => Key;
  readonly read: (after: Key | null, limit: number) => Promise<Chunk<Row, Key>>;
  readonly settle: (rows: readonly Row[]) => Promise<readonly (Found | undefined)[]>;
}): Promise<Page<Found>> => {
  const name = listAsOf(list, cut);
  const size = rowsToRead(limit) - 1;
  const found: { readonly row: Row; readonly found: Found }[] = [];
  const pageUpTo = (key: Key | null): Page<Found> => ({
    rows: found.slice(0, size).map((kept) => kept.found),
    nextCursor: key === null ? null : encodeCursor(name, key),
  });
  let after = decodeCursor(name, kind, cursor) as Key | null;
  for (let chunk = 0; chunk < CHUNKS_MAX; chunk += 1) {
    const { rows, scannedTo } = await read(after, size + 1);
    const settled = await settle(rows);
    for (const [index, row] of rows.entries()) {
      const was = settled[index];
      if (was !== undefined) found.push({ row, found: was });
      const last = found[size - 1];
      if (found.length > size && last) return pageUpTo(keyOf(last.row));
    }
    const last = rows.at(-1);
    if (rows.length <= size || last === undefined) return pageUpTo(scannedTo);
    after = keyOf(last);
  }
  return pageUpTo(after);
};
