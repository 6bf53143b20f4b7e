import { defineConfig } from 'vitest/config';

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests that take minutes have a command of their own: npm run test:install.
    exclude: mode === 'slow' ? [] : ['**/*.slow.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    // Some tests start a process or read thousands of nested brackets, and the machine may have other work.
    testTimeout: 60_000,
    // A hook may build dist/.
    hookTimeout: 180_000,
    coverage: { include: ['src/**'] },
  },
}));
