import { arrayLiteral, lines } from '../../eventstore/statements.ts';
import type { BatchStatement, Guard } from '../../eventstore/types.ts';

type Taken = {
  /** Of the append; nothing else may have it. */
  readonly key: string;
  readonly organizationId: string;
  readonly organizationMax: number;
  readonly applicationId: string;
  readonly applicationMax: number;
  /** YYYY-MM-DD, UTC. */
  readonly day: string;
};

const TAKE: BatchStatement<Taken> = {
  name: 'take_events',
  sql: `SELECT key, stream_version FROM posthorn_take_events(
    string_to_array($1, E'\\n'), $2::uuid[], $3::integer[], $4::uuid[], $5::integer[], $6::date[])`,
  parameters: (rows) => [
    lines(rows.map(({ key }) => key)),
    arrayLiteral(rows.map(({ organizationId }) => organizationId)),
    arrayLiteral(rows.map(({ organizationMax }) => organizationMax)),
    arrayLiteral(rows.map(({ applicationId }) => applicationId)),
    arrayLiteral(rows.map(({ applicationMax }) => applicationMax)),
    arrayLiteral(rows.map(({ day }) => day)),
  ],
};

/** Takes an event from the quotas of its application and its organization, in the append that ingests it; exact over processes. */
export const takeEvent = (row: Taken): Guard => ({
  statement: TAKE as BatchStatement<unknown>,
  row,
  key: row.key,
});
