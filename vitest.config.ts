import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests that build and run native code have a command of their own: npm run test:slow.
    exclude: process.env['LIFETIME_LINT_SLOW'] === undefined ? ['**/*.slow.test.ts'] : [],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    coverage: { include: ['src/**'] },
  },
});
