import { describe, it } from 'vitest';
import { userDecider } from '#src/domain/user/decider.ts';
import type { UserCommand, UserEvent } from '#src/domain/user/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(userDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const at = now.toISOString();
const userId = 'u';
const metadata = { now };
const register: UserCommand = { type: 'RegisterUser', data: { userId }, metadata };
const verify: UserCommand = { type: 'VerifyUserEmail', data: { userId }, metadata };
const change: UserCommand = { type: 'ChangeUserPassword', data: { userId, by: 'mail' }, metadata };
const erase: UserCommand = { type: 'EraseUser', data: { userId, reason: 'request' }, metadata };
const forget: UserCommand = { type: 'EraseUser', data: { userId, reason: 'unverified' }, metadata };
const registered: UserEvent = { type: 'UserRegistered', data: { userId, registeredAt: at } };
const verified: UserEvent = { type: 'UserEmailVerified', data: { userId, verifiedAt: at } };
const changed: UserEvent = { type: 'UserPasswordChanged', data: { userId, by: 'mail', changedAt: at } };
const erased: UserEvent = { type: 'UserErased', data: { userId, reason: 'request', erasedAt: at } };

describe('a user', () => {
  it('registers once', () => {
    given().when(register).then(registered);
    given(registered).when(register).thenThrows('NotFound');
  });
  it('verifies the address once', () => {
    given(registered).when(verify).then(verified);
    given(registered, verified).when(verify).then();
    given().when(verify).thenThrows('NotFound');
  });
  it('changes the password as often as wanted', () => {
    given(registered).when(change).then(changed);
    given(registered, changed).when(change).then(changed);
  });
  it('is erased for good', () => {
    given(registered, verified).when(erase).then(erased);
    given(registered, erased).when(erase).then();
    given(registered, erased).when(change).thenThrows('NotFound');
  });
  it('is erased without a verified address, and stays with one', () => {
    given(registered)
      .when(forget)
      .then({ ...erased, data: { ...erased.data, reason: 'unverified' } } as UserEvent);
    given(registered, verified).when(forget).then();
  });
});
