import { defineConfig } from 'vitest/config';

/** Where to write the results as JSON, too; .ci/run counts with it. */
const report = process.env.POSTHORN_TEST_REPORT;

export default defineConfig({
  // As Node resolves it: the other build of the same package would not know the schemas that mercurius takes.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.spec.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    pool: 'forks',
    execArgv: ['--disable-warning=ExperimentalWarning'], // As scripts/node-flags does.
    // No module holds state that a test could leave behind; loading them anew for each file took a third of the processor's time.
    isolate: false,
    maxWorkers: 2, // One database server serves them all; more workers measure the machine, not the code.
    testTimeout: 60_000, // Browsers and child processes on a busy machine; what hangs hangs longer than this.
    hookTimeout: 60_000,
  },
});
