import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Written } from './export.ts';
import { parseLine } from './format.ts';
import { readLines } from './lines.ts';

/** A new file for an export; what it holds is for nobody else to read. Throws when there is one already. */
export const createExportFile = async (path: string): Promise<FileHandle> => {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new Error(`${path} exists already; --resume goes on with it, else remove it or name another.`);
    throw error;
  }
};

/** Positions a file behind its whole lines and drops what follows them. */
export const reopenExportFile = async (path: string, bytes: number): Promise<FileHandle> => {
  const file = await open(path, 'a');
  await file.truncate(bytes);
  return file;
};

export type Begun =
  /** Not even the header is whole. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'complete'; readonly written: Written }
  | { readonly kind: 'unfinished'; readonly written: Written; readonly bytes: number };

/** How far an export came before it was cut off. Only whole lines count, and only the last of them is looked into. */
export const findBegun = async (path: string): Promise<Begun> => {
  const sha256 = createHash('sha256');
  let bytes = 0;
  let count = 0;
  let header: Written['header'] | undefined;
  let lastLine = '';
  let checkpoints = 0;
  for await (const piece of readLines(path)) {
    sha256.update(piece.bytes);
    bytes += piece.bytes.length;
    if (header === undefined && piece.lines[0] !== undefined) {
      const first = parseLine(piece.lines[0]);
      if (first?.kind !== 'header') throw new Error(`${path} does not begin as an export of a log; name another file.`);
      header = first.header;
    }
    for (const line of piece.lines) if (line.startsWith('{"kind":"checkpoint"')) checkpoints += 1;
    count += piece.lines.length;
    lastLine = piece.lines.at(-1) ?? lastLine;
  }
  if (header === undefined) return { kind: 'nothing' };
  const last = parseLine(lastLine);
  if (last === undefined) throw new Error(`The last line of ${path} was not written by an export; remove the file.`);
  const events = count - 1 - checkpoints;
  const written = { header, sha256, checkpoints, events, last: last.kind === 'event' ? last.event : undefined };
  if (last.kind === 'trailer') return { kind: 'complete', written: { ...written, events: last.trailer.events } };
  return { kind: 'unfinished', written, bytes };
};
