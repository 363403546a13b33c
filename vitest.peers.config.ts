import { defineConfig } from 'vitest/config';

/** Tests against real peers (Orthanc, dcmtk …), which .ci/run installs. One after another: they share two cores. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
});
