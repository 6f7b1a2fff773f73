import type { Pool } from 'pg';
import { arrayLiteral, lines } from '../eventstore/statements.ts';
import type { BatchStatement, Write } from '../eventstore/types.ts';
import { concatenated, dayOf } from './payload.ts';

export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>;

/** What a receiver answered to one request attempt, as far as it was kept. */
export type ResponseRow = {
  readonly partition: number;
  readonly applicationId: string;
  readonly attemptId: string;
  /** ISO instant; its UTC day names the partition. */
  readonly finishedAt: string;
  readonly headers: ResponseHeaders;
  readonly body: Buffer;
};

const INSERT: BatchStatement<ResponseRow> = {
  name: 'response',
  sql: `
    INSERT INTO response (day, partition_no, application_id, attempt_id, headers, body)
    SELECT day, partition_no, application_id, attempt_id, headers::json, substring($6::bytea FROM start FOR length)
    FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[], string_to_array($5, E'\\n'), $7::integer[], $8::integer[])
      AS r (day, partition_no, application_id, attempt_id, headers, start, length)`,
  parameters: (rows) => {
    const bodies = concatenated(rows.map((row) => row.body));
    return [
      arrayLiteral(rows.map((row) => dayOf(row.finishedAt))),
      arrayLiteral(rows.map((row) => row.partition)),
      arrayLiteral(rows.map((row) => row.applicationId)),
      arrayLiteral(rows.map((row) => row.attemptId)),
      lines(rows.map((row) => JSON.stringify(row.headers))),
      bodies.all,
      bodies.offsets,
      bodies.lengths,
    ];
  },
};

/** Keeps an answer, in the append that records the attempt's outcome. */
export const addResponse = (row: ResponseRow): Write => ({ statement: INSERT as BatchStatement<unknown>, row });

const FIND = `
  SELECT headers, body FROM response
  WHERE day BETWEEN $1::date AND $1::date + 1 AND partition_no = $2 AND application_id = $3 AND attempt_id = $4`;

/** `day` is that of the attempt's end, or the one before. Undefined when nothing was kept, or it was dropped. */
export const findResponse = async (
  pool: Pool,
  key: { day: string; partition: number; applicationId: string; attemptId: string },
): Promise<{ headers: ResponseHeaders; body: Buffer } | undefined> => {
  const { rows } = await pool.query<{ headers: ResponseHeaders; body: Buffer }>(FIND, [
    key.day,
    key.partition,
    key.applicationId,
    key.attemptId,
  ]);
  return rows[0];
};
