import { rest } from '../../api/rest.ts';

export type SessionItem = {
  readonly session_id: string;
  readonly created_at: string;
  readonly expires_at: string;
  readonly ip: string | null;
  readonly is_current: boolean;
};

export const listSessions = (): Promise<readonly SessionItem[]> => rest('GET', '/auth/sessions');
export const endSession = (id: string): Promise<void> => rest('DELETE', `/auth/sessions/${id}`);
export const changePassword = (current: string, next: string): Promise<void> =>
  rest('POST', '/auth/password', { current_password: current, new_password: next });
/** Asks for the password once more when it was given too long ago. */
export const eraseAccount = (): Promise<void> => rest('DELETE', '/auth/account');
