import type { Decider } from '@event-driven-io/emmett';
import { idTaken, notFound } from '../refusals.ts';
import type { ServiceTokenCommand, ServiceTokenEvent } from './events.ts';

type Live = {
  readonly status: 'live';
  readonly organizationId: string;
  readonly name: string;
  readonly revokedBlocks: ReadonlySet<string>;
};

export type ServiceToken = { readonly status: 'unknown' } | Live | { readonly status: 'revoked' };

const decide = ({ type, data, metadata }: ServiceTokenCommand, state: ServiceToken): ServiceTokenEvent[] => {
  const { tokenId, organizationId } = data;
  const at = metadata.now.toISOString();
  if (type === 'CreateServiceToken') {
    if (state.status !== 'unknown') throw idTaken('service token', tokenId);
    const { name, revocationId } = data;
    return [{ type: 'ServiceTokenCreated', data: { tokenId, organizationId, name, revocationId, createdAt: at } }];
  }
  if (state.status === 'unknown') throw notFound('service token', tokenId);
  if (type === 'RevokeServiceToken')
    return state.status === 'revoked'
      ? []
      : [{ type: 'ServiceTokenRevoked', data: { tokenId, organizationId, revokedAt: at } }];
  if (state.status === 'revoked') throw notFound('service token', tokenId);
  switch (type) {
    case 'RenameServiceToken':
      if (state.name === data.name) return [];
      return [{ type: 'ServiceTokenRenamed', data: { tokenId, organizationId, name: data.name, renamedAt: at } }];
    case 'RevokeServiceTokenBlock': {
      const { revocationId } = data;
      if (state.revokedBlocks.has(revocationId)) return [];
      return [{ type: 'ServiceTokenBlockRevoked', data: { tokenId, organizationId, revocationId, revokedAt: at } }];
    }
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: ServiceToken, event: ServiceTokenEvent): ServiceToken => {
  switch (event.type) {
    case 'ServiceTokenCreated': {
      const { organizationId, name } = event.data;
      return { status: 'live', organizationId, name, revokedBlocks: new Set() };
    }
    case 'ServiceTokenRenamed':
      return state.status === 'live' ? { ...state, name: event.data.name } : state;
    case 'ServiceTokenRevoked':
      return { status: 'revoked' };
    case 'ServiceTokenBlockRevoked':
      return state.status === 'live'
        ? { ...state, revokedBlocks: new Set([...state.revokedBlocks, event.data.revocationId]) }
        : state;
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

export const serviceTokenDecider: Decider<ServiceToken, ServiceTokenCommand, ServiceTokenEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
