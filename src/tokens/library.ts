/**
 * biscuit-wasm, loaded without the line it prints on standard output while it loads: logs and output of the command line are read
 * by machines. Everything else that is written meanwhile passes.
 */
const NOISE = 'biscuit-wasm loading';

const load = async () => {
  const output = globalThis.console;
  const write = output.log;
  output.log = (...words: unknown[]) => {
    if (words.length !== 1 || words[0] !== NOISE) write.apply(output, words);
  };
  try {
    return await import('@biscuit-auth/biscuit-wasm');
  } finally {
    output.log = write;
  }
};

export const { AuthorizerBuilder, Biscuit, BiscuitBuilder, BlockBuilder, PrivateKey, PublicKey, SignatureAlgorithm } =
  await load();
