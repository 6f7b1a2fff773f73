import { arrayLiteral } from '../eventstore/statements.ts';
import type { BatchStatement, RunQuery, Write } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';
import type { BodyChanged, SealBody, Vault } from '../vault/vault.ts';

export type PayloadRow = {
  readonly partition: number;
  readonly applicationId: string;
  readonly eventId: string;
  /** ISO instant; its UTC day names the partition. */
  readonly receivedAt: string;
  readonly sealed: Buffer;
};

/** The first ten characters of an ISO instant are its UTC day. */
export const dayOf = (instant: string): string => instant.slice(0, 10);

/** Lengths of the bodies, and the bodies one after the other: one binary parameter needs no escaping at all. */
export const concatenated = (bodies: readonly Buffer[]): { offsets: string; lengths: string; all: Buffer } => {
  let offset = 1;
  const offsets = bodies.map((body) => {
    const at = offset;
    offset += body.length;
    return at;
  });
  return {
    offsets: arrayLiteral(offsets),
    lengths: arrayLiteral(bodies.map((body) => body.length)),
    all: Buffer.concat(bodies),
  };
};

const INSERT: BatchStatement<PayloadRow> = {
  name: 'payload',
  sql: `
    INSERT INTO payload (day, partition_no, application_id, event_id, body, is_sealed)
    SELECT day, partition_no, application_id, event_id, substring($5::bytea FROM start FOR length), true
    FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[], $6::integer[], $7::integer[])
      AS p (day, partition_no, application_id, event_id, start, length)`,
  parameters: (rows) => {
    const bodies = concatenated(rows.map((row) => row.sealed));
    return [
      arrayLiteral(rows.map((row) => dayOf(row.receivedAt))),
      arrayLiteral(rows.map((row) => row.partition)),
      arrayLiteral(rows.map((row) => row.applicationId)),
      arrayLiteral(rows.map((row) => row.eventId)),
      bodies.all,
      bodies.offsets,
      bodies.lengths,
    ];
  },
};

export type PayloadKey = Omit<PayloadRow, 'sealed'>;
type EventKey = Pick<PayloadKey, 'applicationId' | 'eventId'>;

/** Bytes that were sealed for one event do not open as those of another. */
const contextOf = ({ applicationId, eventId }: EventKey): string => `payload of event ${applicationId} ${eventId}`;

/** Stores the exact bytes of an event once, sealed, in the append that ingests it. */
export const addPayload = async (seal: SealBody, key: PayloadKey, body: Buffer): Promise<Write> => {
  const row: PayloadRow = { ...key, sealed: await seal(body, contextOf(key)) };
  return { statement: INSERT as BatchStatement<unknown>, row };
};

const FIND = `
  SELECT k.organization_id, k.application_id, k.event_id, p.body, p.is_sealed
  FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[])
    AS k (day, partition_no, application_id, event_id, organization_id)
  CROSS JOIN LATERAL (
    SELECT body, is_sealed FROM payload
    WHERE payload.day = k.day AND payload.partition_no = k.partition_no
      AND payload.application_id = k.application_id AND payload.event_id = k.event_id
    OFFSET 0) AS p`;
type FoundPayload = {
  organization_id: string;
  application_id: string;
  event_id: string;
  body: Buffer;
  is_sealed: boolean;
};

/**
 * The payloads behind the keys, by `<application id>:<event id>`; one that was dropped, or whose key was destroyed, is missing.
 */
export const findPayloads = async (
  db: Queryable,
  vault: Pick<Vault, 'openBody'>,
  keys: readonly (PayloadKey & { readonly organizationId: string })[],
): Promise<Map<string, Buffer | BodyChanged>> => {
  const { rows } = await db.query<FoundPayload>({
    name: 'find_payloads',
    text: FIND,
    values: [
      arrayLiteral(keys.map((key) => dayOf(key.receivedAt))),
      arrayLiteral(keys.map((key) => key.partition)),
      arrayLiteral(keys.map((key) => key.applicationId)),
      arrayLiteral(keys.map((key) => key.eventId)),
      arrayLiteral(keys.map((key) => key.organizationId)),
    ],
  });
  const found = new Map<string, Buffer | BodyChanged>();
  for (const row of rows) {
    const { organization_id: organizationId, application_id: applicationId, event_id: eventId, body: kept } = row;
    const context = contextOf({ applicationId, eventId });
    // Before bodies were sealed they were stored in clear.
    const body = row.is_sealed ? await vault.openBody({ organizationId, sealed: kept, context }) : kept;
    if (body) found.set(`${applicationId}:${eventId}`, body);
  }
  return found;
};

const ERASE = 'DELETE FROM payload WHERE day = $1 AND partition_no = $2 AND application_id = $3 AND event_id = $4';
/** Receivers may have sent back what they got. */
const ERASE_RESPONSES = `
  DELETE FROM response AS r USING request_attempt AS a
  WHERE a.application_id = $1 AND a.event_id = $2
    AND r.partition_no = a.partition_no AND r.application_id = a.application_id AND r.attempt_id = a.request_attempt_id`;

/** Destroys the bytes of an event, and what was answered to them; within the append that records it. */
export const erasePayload = async (run: RunQuery, key: PayloadKey): Promise<void> => {
  const { partition, applicationId, eventId, receivedAt } = key;
  await run(ERASE, [dayOf(receivedAt), partition, applicationId, eventId]);
  await eraseAnswers(run, key);
};

/** Destroys what was answered to the bytes of an event, as far as the read model knows of the attempts. */
export const eraseAnswers = async (run: RunQuery, { applicationId, eventId }: EventKey): Promise<void> => {
  await run(ERASE_RESPONSES, [applicationId, eventId]);
};

const FIND_KEPT = `
  SELECT k.application_id, k.event_id
  FROM unnest($1::date[], $2::smallint[], $3::uuid[], $4::uuid[]) AS k (day, partition_no, application_id, event_id)
  WHERE EXISTS (
    SELECT FROM payload
    WHERE payload.day = k.day AND payload.partition_no = k.partition_no
      AND payload.application_id = k.application_id AND payload.event_id = k.event_id)`;

/** Which of the payloads are still kept, as `<application id>:<event id>`; no body is read. */
export const findKeptPayloads = async (db: Queryable, keys: readonly PayloadKey[]): Promise<Set<string>> => {
  const { rows } = await db.query<{ application_id: string; event_id: string }>({
    name: 'find_kept_payloads',
    text: FIND_KEPT,
    values: [
      arrayLiteral(keys.map((key) => dayOf(key.receivedAt))),
      arrayLiteral(keys.map((key) => key.partition)),
      arrayLiteral(keys.map((key) => key.applicationId)),
      arrayLiteral(keys.map((key) => key.eventId)),
    ],
  });
  return new Set(rows.map((row) => `${row.application_id}:${row.event_id}`));
};
