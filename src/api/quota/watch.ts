import type { Pool } from 'pg';
import { uuidv7 } from '../../domain/event/ids.ts';
import { levelOf, quotaWarningDecider } from '../../domain/quota/decider.ts';
import type { QuotaWarningCommand } from '../../domain/quota/events.ts';
import type { Quota } from '../../domain/quota/limits.ts';
import type { HandleCommand } from '../../eventstore/command-handler.ts';
import type { CommitListener } from '../../eventstore/group-commit.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { mailOwners } from '../../mail/owners.ts';
import { countApplications, findOrganization } from '../../projections/configuration/queries.ts';
import { countMembers } from '../../projections/identity/queries.ts';
import { eventsTaken } from '../../projections/quota/queries.ts';
import type { LimitsOf } from './limits.ts';

/** How long after something was used it is looked at; many uses are one look. */
const LOOK_MS = 2_000;
const TOUCHED_MAX = 10_000;
/** After these an organization may have used more than before. */
const USING = new Set(['EventIngested', 'ApplicationCreated', 'MemberAdded', 'MemberInvited']);

const WORDS: Readonly<Partial<Record<Quota, string>>> = {
  members: 'members',
  applications: 'applications',
  eventsPerDay: 'events of today',
};

export type QuotaWatchDeps = {
  readonly pool: Pool;
  readonly handle: HandleCommand;
  readonly partitions: number;
  readonly limitsOf: LimitsOf;
  readonly mailHint: () => void;
  readonly onError: (error: unknown) => void;
  readonly now: () => Date;
};

export type QuotaWatch = {
  readonly noticeCommit: CommitListener;
  /** Looks at what was touched since the last look. */
  readonly look: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Tells owners by a domain event and a mail when most, and when all, of a quota is used: once a day for each. */
export const createQuotaWatch = (deps: QuotaWatchDeps): QuotaWatch => {
  const { pool, handle, partitions, limitsOf, mailHint, onError, now } = deps;
  let touched = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  const tell = async (organizationId: string, organization: string, quota: Quota, used: number, limit: number) => {
    const level = levelOf(used, limit);
    if (level === undefined) return;
    const at = now();
    const streamId = `quota_warning:${organizationId}`;
    const command: QuotaWarningCommand = {
      type: 'NoteUsage',
      data: { organizationId, quota, used, limit },
      metadata: { now: at },
    };
    const { events } = await handle(
      quotaWarningDecider,
      { streamId, partition: partitionOf(organizationId, partitions) },
      command,
      { actor: 'system:api', causationId: streamId, correlationId: organizationId },
      () => ({
        project: async (_events, run) => {
          const content = { template: 'quota', organization, what: WORDS[quota] ?? quota, level, used, limit } as const;
          await mailOwners(run, { organizationId, content, at, newId: () => uuidv7(at.getTime()) });
        },
      }),
    );
    if (events.length > 0) mailHint();
  };

  const lookAt = async (organizationId: string): Promise<void> => {
    const organization = await findOrganization(pool, organizationId);
    if (!organization) return;
    const limits = await limitsOf.organization(organizationId);
    const day = now().toISOString().slice(0, 10);
    const used: readonly (readonly [Quota, number])[] = [
      ['members', await countMembers(pool, organizationId)],
      ['applications', await countApplications(pool, organizationId)],
      ['eventsPerDay', await eventsTaken(pool, organizationId, day)],
    ];
    for (const [quota, count] of used) await tell(organizationId, organization.name, quota, count, limits[quota]);
  };

  const look = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const organizations = [...touched];
    touched = new Set();
    looking = looking.then(async () => {
      for (const organizationId of organizations) await lookAt(organizationId).catch(onError);
    });
    return looking;
  };

  return {
    noticeCommit: (events) => {
      if (!limitsOf.isEnforced) return;
      for (const { type, data } of events)
        if (USING.has(type) && touched.size < TOUCHED_MAX) touched.add(String(data.organizationId));
      if (touched.size === 0) return;
      timer ??= setTimeout(() => void look(), LOOK_MS);
      timer.unref();
    },
    look,
    stop: () => look(),
  };
};
