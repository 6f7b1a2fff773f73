import { createReadStream } from 'node:fs';
import { LINE_BYTES_MAX } from './format.ts';

const CHUNK_BYTES = 1_048_576;
const LINE_FEED = 10;

/** Whole lines as they stand in the file, each ended by a line feed, and what follows the last of them. */
export type Lines = {
  readonly bytes: Buffer;
  readonly lines: readonly string[];
  /** Bytes without a line feed at the end of the file; 0 before. */
  readonly rest: number;
};

/** Reads a file in pieces of whole lines, in bounded memory; the last piece may hold no line. */
export async function* readLines(path: string): AsyncGenerator<Lines> {
  let carried: Buffer[] = [];
  let carriedBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      const bytes = Buffer.concat([...carried, chunk.subarray(0, end)]);
      carried = [];
      carriedBytes = 0;
      yield { bytes, lines: bytes.toString('utf8', 0, bytes.length - 1).split('\n'), rest: 0 };
    }
    carried.push(chunk.subarray(end));
    carriedBytes += chunk.length - end;
    if (carriedBytes > LINE_BYTES_MAX)
      throw new Error(`${path} has a line of more than ${LINE_BYTES_MAX} bytes; it is no export of a log.`);
  }
  yield { bytes: Buffer.alloc(0), lines: [], rest: carriedBytes };
}
