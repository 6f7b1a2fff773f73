import { DomainError } from '../../domain/errors.ts';
import { organizationDecider } from '../../domain/organization/decider.ts';
import { fold } from '../../eventstore/fold.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { StreamAppend } from '../../eventstore/types.ts';
import { findOrganizations } from '../../projections/configuration/lists.ts';
import { rolesOf } from '../../projections/identity/queries.ts';
import type { ApiDeps } from '../deps.ts';

/** Named in a refusal at most; whoever is the last owner of more is told how many. */
const NAMED_MAX = 20;

/**
 * What is appended when a person leaves every organization at once. Throws OrganizationNeedsAnOwner, naming all those that would have
 * no owner left.
 */
export const leaveAll = async (
  { instancePool, reader, partitions }: Pick<ApiDeps, 'instancePool' | 'reader' | 'partitions'>,
  userId: string,
  now: Date,
): Promise<StreamAppend[]> => {
  const places = [...(await rolesOf(instancePool, userId)).keys()].map((organizationId) => ({
    organizationId,
    streamId: `organization:${organizationId}`,
    partition: partitionOf(organizationId, partitions),
  }));
  const history = Map.groupBy(await reader.readStreams(places), ({ streamId }) => streamId);
  const ownerless: string[] = [];
  const streams = places.flatMap(({ organizationId, streamId, partition }): StreamAppend[] => {
    const { state, version } = fold(organizationDecider, history.get(streamId));
    if (state.status !== 'active' || !state.members.has(userId)) return []; // Removed by somebody else meanwhile.
    try {
      const data = { organizationId, userId, reason: 'left', askedBy: null } as const;
      const events = [organizationDecider.decide({ type: 'RemoveMember', data, metadata: { now } }, state)].flat();
      return [{ streamId, partition, expectedVersion: version, events }];
    } catch (error) {
      if (!(error instanceof DomainError && error.id === 'OrganizationNeedsAnOwner')) throw error;
      ownerless.push(organizationId);
      return [];
    }
  });
  if (ownerless.length > 0) throw await needAnOwner(instancePool, ownerless);
  return streams;
};

const needAnOwner = async (db: ApiDeps['instancePool'], organizationIds: readonly string[]): Promise<DomainError> => {
  const named = organizationIds.slice(0, NAMED_MAX);
  const found = await findOrganizations(db, named);
  const names = named.map((id) => `${JSON.stringify(found.get(id)?.name ?? '')} (${id})`);
  const others = organizationIds.length - named.length;
  return new DomainError(
    'OrganizationNeedsAnOwner',
    `You are the last owner of ${names.join(', ')}${others > 0 ? ` and ${others} more` : ''}. Make somebody else an owner there, or delete what is not needed any more; nothing was changed.`,
  );
};
