/** The names under which a configuration is looked for in each folder, the first found wins. */
export const configFileNames = ['lifetime-lint.config.json', 'lifetime-lint.config.toml', 'package.json'] as const;
