import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['dist/', 'coverage/', 'fixtures/', 'test/**/samples/', '**/target/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['vitest.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Node kinds are compared with their names, which is what the trees hold.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // Contracts are written with method syntax and made of closures: no `this` is lost.
      '@typescript-eslint/unbound-method': 'off',
      // A number or a boolean in a template says what it is.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // To name a property beside a rest is how it is left out.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // The command talks to the terminal, and a test says what it skipped and why.
    files: ['src/cli.ts', 'src/commands/**', 'src/dynamic/child/**', 'bench/**', 'test/**'],
    rules: { 'no-console': 'off' },
  },
  {
    // expect.stringMatching() and its kin are of type any.
    files: ['test/**'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off' },
  },
  {
    files: ['**/*.mjs'],
    extends: [tseslint.configs.recommended, tseslint.configs.disableTypeChecked],
  },
);
