import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { idTaken, notFound } from '../refusals.ts';
import type { OrganizationCommand, OrganizationEvent } from './events.ts';

export type Organization =
  | { readonly status: 'unknown' }
  | { readonly status: 'active'; readonly name: string }
  | { readonly status: 'deleted' };

const decide = ({ type, data, metadata }: OrganizationCommand, state: Organization): OrganizationEvent[] => {
  const { organizationId } = data;
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateOrganization':
      requireName(data.name);
      if (state.status === 'unknown')
        return [{ type: 'OrganizationCreated', data: { organizationId, name: data.name, createdAt: at } }];
      if (state.status === 'active' && state.name === data.name) return []; // A client retrying after a timeout.
      throw idTaken('organization', organizationId);
    case 'RenameOrganization':
      if (state.status !== 'active') throw notFound('organization', organizationId);
      requireName(data.name);
      if (state.name === data.name) return [];
      return [{ type: 'OrganizationRenamed', data: { organizationId, name: data.name, renamedAt: at } }];
    case 'DeleteOrganization':
      if (state.status === 'unknown') throw notFound('organization', organizationId);
      if (state.status === 'deleted') return [];
      if (data.applications > 0) throw notEmpty(organizationId, data.applications);
      return [{ type: 'OrganizationDeleted', data: { organizationId, deletedAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Organization, event: OrganizationEvent): Organization => {
  switch (event.type) {
    case 'OrganizationCreated':
      return { status: 'active', name: event.data.name };
    case 'OrganizationRenamed':
      return state.status === 'active' ? { ...state, name: event.data.name } : state;
    case 'OrganizationDeleted':
      return { status: 'deleted' };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

const requireName = (name: string): void => {
  if (name.trim() === '') throw new DomainError('OrganizationNameMissing', 'An organization needs a name. Send one.');
};

const notEmpty = (organizationId: string, applications: number): DomainError =>
  new DomainError(
    'OrganizationIsNotEmpty',
    `Organization ${organizationId} still owns ${applications} application(s). Delete them first.`,
  );

export const organizationDecider: Decider<Organization, OrganizationCommand, OrganizationEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
