import { router } from '../router.svelte.ts';
import { now } from '../state/now.svelte.ts';

/** The instant that relative times are told from: now, or the moment of the past that is looked at. Follows both. */
export const referenceMs = (cut?: { readonly instant: string } | null): number => {
  if (router.asOf === null) return now.ms;
  const at = new Date(cut?.instant ?? (/^\d+:\d+$/.test(router.asOf) ? Number.NaN : router.asOf)).getTime();
  return Number.isNaN(at) ? now.ms : at;
};
