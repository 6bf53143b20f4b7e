import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { configFileNames } from '../config/config-file-names.js';
import { reasonOf } from '../discover/list-files.js';
import { UsageError } from '../model/usage-error.js';
import type { Io } from './io.js';

const file = 'lifetime-lint.config.json';

/** Every key with its default would be noise: these two are what people change first. */
const content = {
  $schema: './node_modules/lifetime-lint/schema/config.schema.json',
  rules: {},
  exclude: [],
};

export function register(program: Command, io: Io): void {
  program
    .command('init')
    .description(`write a ${file} into the current folder`)
    .action(() => {
      const existing = configFileNames.find((name) => name !== 'package.json' && existsSync(join(io.cwd, name)));
      if (existing !== undefined) throw new UsageError(`There is a '${existing}' already; it was left as it is.`);
      try {
        writeFileSync(join(io.cwd, file), `${JSON.stringify(content, null, 2)}\n`);
      } catch (error) {
        throw new UsageError(`'${file}' could not be written: ${reasonOf(error)}.`);
      }
      io.stdout.write(
        `Wrote ${file}. 'lifetime-lint rules' lists the ids for "rules"; "exclude" takes .gitignore-style patterns.\n`,
      );
    });
}
