/** A place in the log, as the type `LogPosition` has it. */
export const logPosition = ({ partition, position }: { readonly partition: number; readonly position: number }) => ({
  partition,
  position,
  text: `${partition}:${position}`,
});
