import type { Budget } from './budget.ts';

/** Characters of a text that are written at the price of a step. */
const CHARACTERS_PER_STEP = 16;

/** Whether no two are equal as JSON, in time proportional to their size: comparing each with each would not be. */
export const areUnique = (items: readonly unknown[], budget: Budget): boolean => {
  const scalars = new Set<unknown>();
  const others = new Set<string>();
  for (const item of items) {
    budget.spend(1);
    if (typeof item !== 'object' || item === null) {
      spendText(item, budget);
      if (scalars.has(item)) return false;
      scalars.add(item);
      continue;
    }
    const text = canonical(item, budget);
    if (others.has(text)) return false;
    others.add(text);
  }
  return true;
};

/** Long texts are gone through, however few values they are. */
const spendText = (value: unknown, budget: Budget): void => {
  if (typeof value === 'string') budget.spend(Math.floor(value.length / CHARACTERS_PER_STEP));
};

/** JSON text with the members of objects in order; the depth of a payload bounds the recursion. */
const canonical = (value: unknown, budget: Budget): string => {
  budget.spend(1);
  spendText(value, budget);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, budget)).join()}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key] of members) spendText(key, budget);
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, budget)}`).join()}}`;
};
