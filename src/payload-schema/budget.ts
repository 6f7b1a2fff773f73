/** What an evaluation may cost was used up. */
export class BudgetSpent extends Error {
  constructor() {
    super('The evaluation of a payload against its schema costs too much.');
    this.name = 'BudgetSpent';
  }
}

/** Steps of one evaluation at a time: compiled schemas run from beginning to end without a pause. */
export const createBudget = () => {
  let left = 0;
  return {
    begin: (steps: number): void => {
      left = steps;
    },
    /** Throws BudgetSpent. */
    spend: (steps: number): void => {
      left -= steps;
      if (left < 0) throw new BudgetSpent();
    },
  };
};

export type Budget = ReturnType<typeof createBudget>;
