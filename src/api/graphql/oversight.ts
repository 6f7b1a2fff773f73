import type { RetentionEvent } from '../../domain/retention/events.ts';
import { readInstance } from '../../eventstore/initialise.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import type { OrganizationRecord } from '../../projections/configuration/queries.ts';
import { decodeCursor, encodeCursor, type Page, rowsToRead } from '../../projections/page.ts';
import { listRefusals, type RefusalRecord } from '../../projections/refusal/queries.ts';
import { type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Seen } from './context.ts';
import { requireNow } from './identity.ts';
import { logPosition } from './position.ts';
import type { Fields } from './schema.ts';

type RetentionRun = RecordedEvent & RetentionEvent;

/** Runs of the cleaning, newest first: the end of a stream that grows by one each hour. Throws InvalidCursor. */
const retentionRuns = async ({ deps }: Context, args: PageArgs): Promise<Page<RetentionRun>> => {
  const { limit, cursor } = pageOf(args);
  const list = 'retention';
  const { instanceId } = await readInstance(deps.instancePool);
  const partition = partitionOf(instanceId, deps.partitions);
  const streamId = `retention:${instanceId}`;
  const before = decodeCursor(list, 'position', cursor);
  const toVersion = before === null ? await deps.reader.streamVersion(streamId, partition) : before - 1;
  const fromVersion = Math.max(1, toVersion - (rowsToRead(limit) - 1) + 1);
  const events = toVersion < 1 ? [] : await deps.reader.readStream(streamId, { partition, fromVersion, toVersion });
  const rows = events.toReversed() as RetentionRun[];
  return { rows, nextCursor: fromVersion > 1 && rows.length > 0 ? encodeCursor(list, fromVersion) : null };
};

const isMaster = ({ request: { principal } }: Context): boolean => principal.kind === 'master';

/** What owners, and whoever runs the instance, keep an eye on. */
export const oversightFields: Fields = {
  Organization: {
    refusals: (organization: Seen<OrganizationRecord>, args: PageArgs, context: Context) => {
      requireNow(organization);
      const { organizationId } = organization;
      allow(context, 'refusal:list', { organizationId });
      return listRefusals(context.deps.pool, organizationId, pageOf(args));
    },
  },
  Instance: {
    refusals: (_instance: unknown, args: PageArgs, context: Context) =>
      isMaster(context) ? listRefusals(context.deps.pool, 'all', pageOf(args)) : null,
    retention: (_instance: unknown, args: PageArgs, context: Context) =>
      isMaster(context) ? retentionRuns(context, args) : null,
  },
  Refusal: { position: (refusal: RefusalRecord) => logPosition(refusal) },
  RetentionRun: {
    position: (run: RetentionRun) => logPosition(run),
    at: ({ data }: RetentionRun) => data.appliedAt,
    payloadDays: ({ data }: RetentionRun) => data.droppedDays.payload,
    responseDays: ({ data }: RetentionRun) => data.droppedDays.response,
    gone: ({ data }: RetentionRun) => Object.entries(data.counts).map(([kind, rows]) => ({ kind, rows })),
    bytes: ({ data }: RetentionRun) => data.bytes,
  },
};
