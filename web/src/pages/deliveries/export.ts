import type { Row } from './tail.svelte.ts';

const COLUMNS = [
  'at',
  'status',
  'httpStatus',
  'eventType',
  'subscriptionId',
  'deliveryId',
  'id',
  'attemptNumber',
  'durationMs',
  'reason',
] as const;

/** A formula in a sheet must stay a text. */
const cell = (value: unknown): string => {
  const text = String(value ?? '');
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const toCsv = (rows: readonly Row[]): string =>
  [COLUMNS.join(','), ...rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(','))].join('\n');
export const toNdjson = (rows: readonly Row[]): string => rows.map((row) => JSON.stringify(row)).join('\n');

/** Hands a text over as a file. */
export const download = (name: string, type: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
};
