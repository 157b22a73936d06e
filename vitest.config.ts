import { defineConfig } from 'vitest/config';

// The `source` condition runs every package from its TypeScript, so nothing has to be built before a test.
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'apps/*/test/**/*.test.ts',
      'attacks/**/*.test.ts',
      'scripts/**/*.test.ts',
      'fuzz/**/*.test.ts',
    ],
    // Stops the PostgreSQL server that tests of the broker may have started.
    globalSetup: ['apps/broker/test/postgres-run.ts'],
    // Many tests wait for processes rather than compute, so two at a time fit two cores.
    maxWorkers: 2,
    // A test that hangs still ends; one that is slow because the machine is busy does not fail for it.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    execArgv: ['--conditions=source'],
  },
});
