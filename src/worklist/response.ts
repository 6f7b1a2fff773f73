import { arrayLiteral, lines } from '../eventstore/statements.ts';
import type { BatchStatement, Write } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';
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

/** `day` is that of the attempt's end, or the one before. */
export type ResponseKey = {
  readonly day: string;
  readonly partition: number;
  readonly applicationId: string;
  readonly attemptId: string;
};
export type KeptResponse = { readonly headers: ResponseHeaders; readonly body: Buffer };

const FIND = `
  SELECT k.attempt_id, r.headers, r.body
  FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[]) AS k (day, partition_no, application_id, attempt_id)
  CROSS JOIN LATERAL (
    SELECT headers, body FROM response
    WHERE response.day BETWEEN k.day AND k.day + 1 AND response.partition_no = k.partition_no
      AND response.application_id = k.application_id AND response.attempt_id = k.attempt_id
    OFFSET 0) AS r`;

/** What receivers answered, by attempt id; missing when nothing was kept, or it was dropped. */
export const findResponses = async (
  db: Queryable,
  keys: readonly ResponseKey[],
): Promise<Map<string, KeptResponse>> => {
  const { rows } = await db.query<KeptResponse & { attempt_id: string }>(FIND, [
    arrayLiteral(keys.map((key) => key.day)),
    arrayLiteral(keys.map((key) => key.partition)),
    arrayLiteral(keys.map((key) => key.applicationId)),
    arrayLiteral(keys.map((key) => key.attemptId)),
  ]);
  return new Map(rows.map(({ attempt_id: id, headers, body }) => [id, { headers, body }]));
};

/** One of them. */
export const findResponse = async (db: Queryable, key: ResponseKey): Promise<KeptResponse | undefined> =>
  (await findResponses(db, [key])).get(key.attemptId);
