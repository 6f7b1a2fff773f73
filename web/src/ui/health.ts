import type { Tone } from './status.ts';

/** How well requests went, in words; few failures are noise, many are a finding. */
const DEGRADED = 0.02;
const FAILING = 0.2;

export type Health = { readonly word: string; readonly tone: Tone; readonly share: number | null };

export const healthOf = ({ succeeded, failed }: { readonly succeeded: number; readonly failed: number }): Health => {
  const total = succeeded + failed;
  if (total === 0) return { word: 'Quiet', tone: 'idle', share: null };
  const lost = failed / total;
  if (lost >= FAILING) return { word: 'Failing', tone: 'bad', share: 1 - lost };
  if (lost >= DEGRADED) return { word: 'Degraded', tone: 'warn', share: 1 - lost };
  return { word: 'Healthy', tone: 'ok', share: 1 - lost };
};
