import type { Decider } from '@event-driven-io/emmett';
import { idTaken, notFound } from '../refusals.ts';
import type { ApplicationSecretCommand, ApplicationSecretEvent } from './events.ts';

export type ApplicationSecret =
  | { readonly status: 'unknown' | 'deleted' }
  | { readonly status: 'active'; readonly name: string | null; readonly tokenSha256: string };

/**
 * Whoever renames or deletes has found the secret among those there are: one that is unknown here was made when secrets were in the
 * stream of their application, and can be taken away all the same.
 */
const decide = (
  { type, data, metadata }: ApplicationSecretCommand,
  state: ApplicationSecret,
): ApplicationSecretEvent[] => {
  const { secretId } = data;
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateApplicationSecret':
      if (state.status === 'unknown') return [{ type: 'ApplicationSecretCreated', data: { ...data, createdAt: at } }];
      // A client retrying after a timeout.
      if (state.status === 'active' && state.name === data.name && state.tokenSha256 === data.tokenSha256) return [];
      throw idTaken('application secret', secretId);
    case 'RenameApplicationSecret':
      if (state.status === 'deleted') throw notFound('application secret', secretId);
      if (state.status === 'active' && state.name === data.name) return [];
      return [{ type: 'ApplicationSecretRenamed', data: { ...data, renamedAt: at } }];
    case 'DeleteApplicationSecret':
      if (state.status === 'deleted') return [];
      return [{ type: 'ApplicationSecretDeleted', data: { ...data, deletedAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: ApplicationSecret, event: ApplicationSecretEvent): ApplicationSecret => {
  switch (event.type) {
    case 'ApplicationSecretCreated': {
      const { name, tokenSha256 } = event.data;
      return { status: 'active', name, tokenSha256 };
    }
    case 'ApplicationSecretRenamed':
      return state.status === 'active' ? { ...state, name: event.data.name } : state;
    case 'ApplicationSecretDeleted':
      return { status: 'deleted' };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

export const applicationSecretDecider: Decider<ApplicationSecret, ApplicationSecretCommand, ApplicationSecretEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
