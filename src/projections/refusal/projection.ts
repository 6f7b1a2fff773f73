import type { AccessEvent } from '../../domain/access/events.ts';
import { inlineProjection } from '../inline.ts';
import type { Projection } from '../projection.ts';

const INSERT = (table: string): string => `
  INSERT INTO ${table}
    (partition_no, position, organization_id, actor, action, problem, count, ips, first_at, last_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`;

/** What was refused, one row for all of one kind within some seconds. Refusals are rare, and so are written with their append. */
export const refusalProjection: Projection = inlineProjection<AccessEvent>(
  'refusal',
  ['AccessRefused'],
  ({ partition, position, data }, table) => [
    INSERT(table('refusal')),
    [
      partition,
      position,
      data.organizationId ?? null,
      data.actor,
      data.action,
      data.problem,
      data.count,
      data.ips ?? [],
      data.firstAt,
      data.lastAt,
    ],
  ],
);
