import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { idTaken, notFound } from '../refusals.ts';
import type { ApplicationCommand, ApplicationEvent } from './events.ts';

export type ApplicationSecret = {
  readonly name: string | null;
  readonly tokenSha256: string;
  readonly isDeleted: boolean;
};

type Active = {
  readonly status: 'active';
  readonly organizationId: string;
  readonly name: string;
  /** By secret id, the deleted ones too: their ids do not come back. */
  readonly secrets: ReadonlyMap<string, ApplicationSecret>;
};

export type Application = { readonly status: 'unknown' } | Active | { readonly status: 'deleted' };

const decide = (command: ApplicationCommand, state: Application): ApplicationEvent[] => {
  const { type, data, metadata } = command;
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
    default:
      return decideSecret(command, requireActive(state, applicationId));
  }
};

type SecretCommand = Extract<ApplicationCommand, { type: `${string}Secret` }>;

const decideSecret = (
  { type, data, metadata }: SecretCommand,
  { organizationId, secrets }: Active,
): ApplicationEvent[] => {
  const { applicationId, secretId } = data;
  const secret = secrets.get(secretId);
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateApplicationSecret': {
      const { name, tokenSha256 } = data;
      if (secret === undefined) {
        const created = { applicationId, organizationId, secretId, name, tokenSha256, createdAt: at };
        return [{ type: 'ApplicationSecretCreated', data: created }];
      }
      if (!secret.isDeleted && secret.name === name && secret.tokenSha256 === tokenSha256) return [];
      throw idTaken('application secret', secretId);
    }
    case 'RenameApplicationSecret': {
      if (secret === undefined || secret.isDeleted) throw notFound('application secret', secretId);
      if (secret.name === data.name) return [];
      const renamed = { applicationId, organizationId, secretId, name: data.name, renamedAt: at };
      return [{ type: 'ApplicationSecretRenamed', data: renamed }];
    }
    case 'DeleteApplicationSecret':
      if (secret === undefined) throw notFound('application secret', secretId);
      if (secret.isDeleted) return [];
      return [{ type: 'ApplicationSecretDeleted', data: { applicationId, organizationId, secretId, deletedAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Application, event: ApplicationEvent): Application => {
  switch (event.type) {
    case 'ApplicationCreated': {
      const { organizationId, name } = event.data;
      return { status: 'active', organizationId, name, secrets: new Map() };
    }
    case 'ApplicationRenamed':
      return state.status === 'active' ? { ...state, name: event.data.name } : state;
    case 'ApplicationDeleted':
      return { status: 'deleted' };
    case 'ApplicationSecretCreated': {
      const { secretId, name, tokenSha256 } = event.data;
      return withSecret(state, secretId, () => ({ name, tokenSha256, isDeleted: false }));
    }
    case 'ApplicationSecretRenamed': {
      const { secretId, name } = event.data;
      return withSecret(state, secretId, (secret) => secret && { ...secret, name });
    }
    case 'ApplicationSecretDeleted':
      return withSecret(state, event.data.secretId, (secret) => secret && { ...secret, isDeleted: true });
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

const withSecret = (
  state: Application,
  secretId: string,
  change: (secret: ApplicationSecret | undefined) => ApplicationSecret | undefined,
): Application => {
  if (state.status !== 'active') return state;
  const changed = change(state.secrets.get(secretId));
  return changed === undefined ? state : { ...state, secrets: new Map(state.secrets).set(secretId, changed) };
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
