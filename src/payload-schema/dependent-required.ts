import type { DataValidateFunction, FuncKeywordDefinition } from 'ajv/dist/types/index.js';
import type { Budget } from './budget.ts';

/** Names that are looked for at the price of a step. */
const NAMES_PER_STEP = 8;

/**
 * The keyword with the price of what it looks for. Ajv would write code for each name, which takes it seconds for some thousand, and
 * name each that is missing in each object; of every list the first says enough.
 */
export const dependentRequired = (budget: Budget): FuncKeywordDefinition => ({
  keyword: 'dependentRequired',
  type: 'object',
  schemaType: 'object',
  compile: (wanted: Readonly<Record<string, readonly string[]>>) => {
    const lists = Object.entries(wanted);
    const validate: DataValidateFunction = (value: Readonly<Record<string, unknown>>) => {
      const missing = lists.flatMap(([name, names]) => {
        if (!Object.hasOwn(value, name)) return [];
        budget.spend(1 + Math.floor(names.length / NAMES_PER_STEP));
        const first = names.find((other) => !Object.hasOwn(value, other));
        return first === undefined ? [] : [{ name, first }];
      });
      validate.errors = missing.map(({ name, first }) => ({
        keyword: 'dependentRequired',
        message: `must have property ${first} when property ${name} is present`,
        params: { missingProperty: first },
      }));
      return missing.length === 0;
    };
    return validate;
  },
});
