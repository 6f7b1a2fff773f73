/**
 * Does the work without one line that it is known to print on standard output, for logs and results of commands are read by
 * machines. Everything else that is printed meanwhile, by whomever, passes.
 */
export const without = async <T>(line: string, work: () => Promise<T>): Promise<T> => {
  const output = globalThis.console;
  const write = output.log;
  output.log = (...words: unknown[]) => {
    if (words.length !== 1 || words[0] !== line) write.apply(output, words);
  };
  try {
    return await work();
  } finally {
    output.log = write;
  }
};
