/** A place in the log, as the type `LogPosition` has it. */
export const logPosition = (partition: number, position: number) => ({
  partition,
  position,
  text: `${partition}:${position}`,
});
