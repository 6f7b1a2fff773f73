import type { Decider } from '@event-driven-io/emmett';
import { idTaken, notFound } from '../refusals.ts';
import type { UserCommand, UserEvent } from './events.ts';

export type User = { readonly status: 'unknown' | 'registered' | 'verified' | 'erased' };

const decide = ({ type, data, metadata }: UserCommand, { status }: User): UserEvent[] => {
  const { userId } = data;
  const at = metadata.now.toISOString();
  if (type === 'RegisterUser') {
    if (status !== 'unknown') throw idTaken('user', userId);
    return [{ type: 'UserRegistered', data: { userId, registeredAt: at } }];
  }
  if (status === 'unknown') throw notFound('user', userId);
  if (type === 'EraseUser')
    // Whoever verified the address a moment before stays.
    return status === 'erased' || (status === 'verified' && data.reason === 'unverified')
      ? []
      : [{ type: 'UserErased', data: { userId, reason: data.reason, erasedAt: at } }];
  if (status === 'erased') throw notFound('user', userId);
  switch (type) {
    case 'VerifyUserEmail':
      return status === 'verified' ? [] : [{ type: 'UserEmailVerified', data: { userId, verifiedAt: at } }];
    case 'ChangeUserPassword':
      return [{ type: 'UserPasswordChanged', data: { userId, by: data.by, changedAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: User, event: UserEvent): User => {
  switch (event.type) {
    case 'UserRegistered':
      return { status: 'registered' };
    case 'UserEmailVerified':
      return { status: 'verified' };
    case 'UserPasswordChanged':
      return state;
    case 'UserErased':
      return { status: 'erased' };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

export const userDecider: Decider<User, UserCommand, UserEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
