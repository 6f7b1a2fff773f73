import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { idTaken, notFound } from '../refusals.ts';
import type { ApplicationCommand, ApplicationEvent } from './events.ts';

type Active = { readonly status: 'active'; readonly organizationId: string; readonly name: string };

export type Application = { readonly status: 'unknown' } | Active | { readonly status: 'deleted' };

const decide = ({ type, data, metadata }: ApplicationCommand, state: Application): ApplicationEvent[] => {
  const { applicationId } = data;
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateApplication':
      requireName(data.name);
      if (state.status === 'unknown') return [{ type: 'ApplicationCreated', data: { ...data, createdAt: at } }];
      if (isSame(state, data)) return []; // A client retrying after a timeout.
      throw idTaken('application', applicationId);
    case 'RenameApplication': {
      const { organizationId, name } = requireActive(state, applicationId);
      requireName(data.name);
      if (name === data.name) return [];
      return [{ type: 'ApplicationRenamed', data: { applicationId, organizationId, name: data.name, renamedAt: at } }];
    }
    case 'DeleteApplication': {
      if (state.status === 'deleted') return [];
      const { organizationId } = requireActive(state, applicationId);
      return [{ type: 'ApplicationDeleted', data: { applicationId, organizationId, deletedAt: at } }];
    }
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Application, event: ApplicationEvent): Application => {
  switch (event.type) {
    case 'ApplicationCreated': {
      const { organizationId, name } = event.data;
      return { status: 'active', organizationId, name };
    }
    case 'ApplicationRenamed':
      return state.status === 'active' ? { ...state, name: event.data.name } : state;
    case 'ApplicationDeleted':
      return { status: 'deleted' };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

const isSame = (state: Application, { organizationId, name }: { organizationId: string; name: string }): boolean =>
  state.status === 'active' && state.organizationId === organizationId && state.name === name;

const requireActive = (state: Application, applicationId: string): Active => {
  if (state.status === 'active') return state;
  throw notFound('application', applicationId);
};

const requireName = (name: string): void => {
  if (name.trim() === '') throw new DomainError('ApplicationNameMissing', 'An application needs a name. Send one.');
};

export const applicationDecider: Decider<Application, ApplicationCommand, ApplicationEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
