import { router } from '../router.svelte.ts';
import type { Action } from './actions.ts';
import { rights } from './rights.svelte.ts';

export type { Action };

const isReading = (action: Action): boolean => /:(list|get)$/.test(action);

/**
 * Whether to offer it: by what the server says of this token in the place at hand, and never a change of the past. A courtesy only:
 * the API decides on each request.
 */
export const may = (action: Action): boolean =>
  (router.asOf === null || isReading(action)) && rights.here.includes(action);
