import { attempt } from './attempt.ts';
import { fetchJson } from './fetch.ts';

/** A request to what GraphQL does not have, as whoever is signed in; throws a `Failure`. */
export const rest = <Answer>(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> =>
  attempt((token) => fetchJson<Answer>(method, path, { body, headers: { authorization: `Bearer ${token}` } }));
