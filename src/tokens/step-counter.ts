/** Counts down; `take` throws OutOfSteps once there are none left. */
export type Steps = { readonly take: (count: number) => void };

export class OutOfSteps extends Error {}

export const stepsUpTo = (max: number): Steps => {
  let left = max;
  return {
    take: (count) => {
      left -= count;
      if (left < 0) throw new OutOfSteps();
    },
  };
};
