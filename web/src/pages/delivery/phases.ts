import type { Attempt } from './queries.ts';

type Timings = NonNullable<Attempt['timings']>;
export type Phase = { readonly name: string; readonly tone: string; readonly ms: number };

const PHASES = [
  { name: 'DNS', tone: 'dns', field: 'dnsMs' },
  { name: 'Connect', tone: 'connect', field: 'connectMs' },
  { name: 'TLS', tone: 'tls', field: 'tlsMs' },
  { name: 'Wait', tone: 'wait', field: 'firstByteMs' },
  { name: 'Body', tone: 'body', field: 'bodyMs' },
] as const satisfies readonly { name: string; tone: string; field: keyof Timings }[];

export const LEGEND: readonly { readonly name: string; readonly tone: string }[] = [
  ...PHASES.map(({ name, tone }) => ({ name, tone })),
  { name: 'Not measured', tone: 'rest' },
];

/** The phases that took place, in their order; what no phase accounts for comes last. */
export const phasesOf = (timings: Timings): Phase[] => {
  const known = PHASES.flatMap(({ name, tone, field }) => {
    const ms = timings[field];
    return ms === null ? [] : [{ name, tone, ms }];
  });
  const rest = timings.totalMs - known.reduce((sum, { ms }) => sum + ms, 0);
  return rest > 0.05 * timings.totalMs ? [...known, { name: 'Not measured', tone: 'rest', ms: rest }] : known;
};

/** The end of the one scale that all bars are drawn on, in milliseconds. */
export const scaleOf = (attempts: readonly Attempt[]): number =>
  Math.max(1, ...attempts.map(({ timings }) => timings?.totalMs ?? 0));
