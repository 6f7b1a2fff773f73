import type { Verdict } from './checker.ts';

export type Result = Verdict & {
  readonly name: string;
  readonly seed: number;
  readonly duplicatesMax: number;
  readonly faults: number;
  readonly takeOverMs: number | undefined;
  readonly seconds: number;
};

const takeOverOf = ({ takeOverMs }: Result): string =>
  takeOverMs === undefined ? '-' : `${(takeOverMs / 1000).toFixed(2)} s`;
const verdictOf = ({ findings }: Result): string => (findings.length === 0 ? 'ok' : 'FAILED');

/** One scenario on one line. */
export const summary = (result: Result): string => {
  const { name, seed, acknowledged, delivered, duplicates, duplicatesMax, lost, phantom, faults, seconds } = result;
  return [
    `${verdictOf(result).padEnd(6)} ${name.padEnd(18)} seed ${seed}`,
    `acknowledged ${acknowledged}`,
    `delivered ${delivered}`,
    `duplicates ${duplicates} (at most ${duplicatesMax})`,
    `lost ${lost}`,
    `phantom ${phantom}`,
    `take-over ${takeOverOf(result)}`,
    `faults ${faults}`,
    `${seconds.toFixed(1)} s`,
  ].join('  ');
};

const COLUMNS: readonly (readonly [title: string, of: (result: Result) => string])[] = [
  ['scenario', ({ name }) => name],
  ['acked', ({ acknowledged }) => String(acknowledged)],
  ['delivered', ({ delivered }) => String(delivered)],
  ['dup', ({ duplicates }) => String(duplicates)],
  ['bound', ({ duplicatesMax }) => String(duplicatesMax)],
  ['lost', ({ lost }) => String(lost)],
  ['phantom', ({ phantom }) => String(phantom)],
  ['take-over', takeOverOf],
  ['faults', ({ faults }) => String(faults)],
  ['seconds', ({ seconds }) => seconds.toFixed(1)],
  ['verdict', verdictOf],
];

/** All of them below each other. */
export const table = (results: readonly Result[]): string => {
  const rows = [COLUMNS.map(([title]) => title), ...results.map((result) => COLUMNS.map(([, of]) => of(result)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
};
