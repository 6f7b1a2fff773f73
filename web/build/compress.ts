import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Below it the headers weigh more than what is saved. */
const BYTES_MIN = 1_000;

/** Writes each text file compressed beside it, so that serving costs no compression. */
export const compress = (): Plugin => ({
  name: 'compress',
  apply: 'build',
  writeBundle({ dir = '' }) {
    for (const file of globSync('**/*.{html,js,css,svg}', { cwd: dir })) {
      const path = join(dir, file);
      const bytes = readFileSync(path);
      if (bytes.length < BYTES_MIN) continue;
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
    }
  },
});
