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
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    execArgv: ['--conditions=source'],
  },
});
