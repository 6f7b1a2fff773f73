import type { DomainCommand, DomainEvent } from '../metadata.ts';

/** Stream `user:<user id>`, in the log partition of the user id. Neither names, mail addresses nor passwords are in it. */
export type UserEvent =
  | DomainEvent<'UserRegistered', { userId: string; registeredAt: string }>
  | DomainEvent<'UserEmailVerified', { userId: string; verifiedAt: string }>
  | DomainEvent<'UserPasswordChanged', { userId: string; by: PasswordChange; changedAt: string }>
  | DomainEvent<'UserErased', { userId: string; reason: UserErasedReason; erasedAt: string }>;

/** By who was signed in, or by a mail that was asked for. */
export type PasswordChange = 'session' | 'mail';
/** On request, or because the mail address was never verified. */
export type UserErasedReason = 'request' | 'unverified';

export type UserCommand =
  | DomainCommand<'RegisterUser', { userId: string }>
  | DomainCommand<'VerifyUserEmail', { userId: string }>
  | DomainCommand<'ChangeUserPassword', { userId: string; by: PasswordChange }>
  | DomainCommand<'EraseUser', { userId: string; reason: UserErasedReason }>;
