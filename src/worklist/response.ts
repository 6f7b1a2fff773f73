import { arrayLiteral } from '../eventstore/statements.ts';
import type { BatchStatement, Write } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';
import { BodyChanged, type SealBody, type Vault } from '../vault/vault.ts';
import { concatenated, dayOf, type PayloadKey } from './payload.ts';

export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>;

/** As far as it was kept. */
export type KeptResponse = { readonly headers: ResponseHeaders; readonly body: Buffer };

type AttemptKey = {
  readonly partition: number;
  readonly applicationId: string;
  readonly attemptId: string;
};
type ResponseRow = AttemptKey & {
  /** ISO instant; its UTC day names the partition. */
  readonly finishedAt: string;
  /** Of the event that was sent. */
  readonly payload: PayloadKey;
  readonly sealed: Buffer;
};

/** Not of a payload that was erased while the request was under way: receivers may send back what they got. */
const INSERT: BatchStatement<ResponseRow> = {
  name: 'response',
  sql: `
    INSERT INTO response (day, partition_no, application_id, attempt_id, body, is_sealed)
    SELECT r.day, r.partition_no, r.application_id, attempt_id, substring($5::bytea FROM start FOR length), true
    FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[], $6::integer[], $7::integer[], $8::date[], $9::smallint[], $10::uuid[])
      AS r (day, partition_no, application_id, attempt_id, start, length, payload_day, payload_partition_no, event_id)
    CROSS JOIN LATERAL (
      SELECT FROM payload
      WHERE payload.day = r.payload_day AND payload.partition_no = r.payload_partition_no
        AND payload.application_id = r.application_id AND payload.event_id = r.event_id
      OFFSET 0) AS kept`,
  parameters: (rows) => {
    const bodies = concatenated(rows.map((row) => row.sealed));
    return [
      arrayLiteral(rows.map((row) => dayOf(row.finishedAt))),
      arrayLiteral(rows.map((row) => row.partition)),
      arrayLiteral(rows.map((row) => row.applicationId)),
      arrayLiteral(rows.map((row) => row.attemptId)),
      bodies.all,
      bodies.offsets,
      bodies.lengths,
      arrayLiteral(rows.map(({ payload }) => dayOf(payload.receivedAt))),
      arrayLiteral(rows.map(({ payload }) => payload.partition)),
      arrayLiteral(rows.map(({ payload }) => payload.eventId)),
    ];
  },
};

const contextOf = ({ applicationId, attemptId }: Pick<AttemptKey, 'applicationId' | 'attemptId'>): string =>
  `response to attempt ${applicationId} ${attemptId}`;

const LENGTH_BYTES = 4;

/** The length of the headers as JSON, that JSON, and the body. */
const pack = ({ headers, body }: KeptResponse): Buffer => {
  const text = Buffer.from(JSON.stringify(headers));
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, body]);
};

const unpack = (packed: Buffer): KeptResponse => {
  const bodyAt = LENGTH_BYTES + packed.readUInt32BE();
  return {
    headers: JSON.parse(packed.toString('utf8', LENGTH_BYTES, bodyAt)) as ResponseHeaders,
    body: packed.subarray(bodyAt),
  };
};

/**
 * Keeps what a receiver answered to one request attempt, sealed, in the append that records the attempt's outcome; nothing when the
 * payload that was sent has been erased meanwhile.
 */
export const addResponse = async (
  seal: SealBody,
  key: Omit<ResponseRow, 'sealed'>,
  response: KeptResponse,
): Promise<Write> => {
  const row: ResponseRow = { ...key, sealed: await seal(pack(response), contextOf(key)) };
  return { statement: INSERT as BatchStatement<unknown>, row };
};

/** `day` is that of the attempt's end, or the one before. */
export type ResponseKey = AttemptKey & { readonly day: string; readonly organizationId: string };

const FIND = `
  SELECT k.organization_id, k.application_id, k.attempt_id, r.headers, r.body, r.is_sealed
  FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[])
    AS k (day, partition_no, application_id, attempt_id, organization_id)
  CROSS JOIN LATERAL (
    SELECT headers, body, is_sealed FROM response
    WHERE response.day BETWEEN k.day AND k.day + 1 AND response.partition_no = k.partition_no
      AND response.application_id = k.application_id AND response.attempt_id = k.attempt_id
    OFFSET 0) AS r`;
type FoundResponse = KeptResponse & {
  organization_id: string;
  application_id: string;
  attempt_id: string;
  is_sealed: boolean;
};

/**
 * What receivers answered, by attempt id; missing when nothing was kept, it was dropped, or its key was destroyed.
 */
export const findResponses = async (
  db: Queryable,
  vault: Pick<Vault, 'openBody'>,
  keys: readonly ResponseKey[],
): Promise<Map<string, KeptResponse | BodyChanged>> => {
  const { rows } = await db.query<FoundResponse>(FIND, [
    arrayLiteral(keys.map((key) => key.day)),
    arrayLiteral(keys.map((key) => key.partition)),
    arrayLiteral(keys.map((key) => key.applicationId)),
    arrayLiteral(keys.map((key) => key.attemptId)),
    arrayLiteral(keys.map((key) => key.organizationId)),
  ]);
  const found = new Map<string, KeptResponse | BodyChanged>();
  for (const row of rows) {
    const {
      organization_id: organizationId,
      application_id: applicationId,
      attempt_id: attemptId,
      headers,
      body,
    } = row;
    if (!row.is_sealed) {
      found.set(attemptId, { headers, body }); // Before bodies were sealed they were stored in clear.
      continue;
    }
    const context = contextOf({ applicationId, attemptId });
    const packed = await vault.openBody({ organizationId, sealed: body, context });
    if (packed) found.set(attemptId, packed instanceof BodyChanged ? packed : unpack(packed));
  }
  return found;
};

/** One of them. */
export const findResponse = async (
  db: Queryable,
  vault: Pick<Vault, 'openBody'>,
  key: ResponseKey,
): Promise<KeptResponse | BodyChanged | undefined> => (await findResponses(db, vault, [key])).get(key.attemptId);
