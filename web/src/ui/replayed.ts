import { plural } from './instant.ts';

export type Replayed = { readonly replayed: number; readonly skipped: number };

/** What a replay did, in a sentence that leaves nothing out. */
export const replayedWords = ({ replayed, skipped }: Replayed): string =>
  `${plural(replayed, 'delivery', 'deliveries')} started again${skipped > 0 ? `, ${skipped} skipped: the subscription is disabled or deleted, or the payload is no longer kept` : ''}.`;
