import type { Step } from './queries.ts';

export type Placed = { readonly step: Step; readonly depth: number };

/** The steps in the order of a tree: each after what caused it, siblings by time. A step whose cause is missing begins one. */
export const placed = (steps: readonly Step[]): Placed[] => {
  const known = new Set(steps.map(({ id }) => id));
  const byCause = new Map<string | null, Step[]>();
  for (const step of steps) {
    const cause = step.causeId !== null && known.has(step.causeId) && step.causeId !== step.id ? step.causeId : null;
    byCause.set(cause, [...(byCause.get(cause) ?? []), step]);
  }
  const found: Placed[] = [];
  const open = [...(byCause.get(null) ?? [])].reverse().map((step) => ({ step, depth: 0 }));
  for (let next = open.pop(); next; next = open.pop()) {
    found.push(next);
    for (const step of [...(byCause.get(next.step.id) ?? [])].reverse()) open.push({ step, depth: next.depth + 1 });
  }
  return found;
};
