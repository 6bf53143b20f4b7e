import type { Command } from 'commander';
import { readCatalog } from '../catalog/read-catalog.js';
import { UsageError } from '../model/usage-error.js';
import { renderPage } from '../report/page.js';
import { wantsColor, widthOf, type Io } from './io.js';

export function register(program: Command, io: Io): void {
  program
    .command('explain')
    .description('print the page of a rule')
    .argument('<id>', 'the id of a rule, such as pointer-into-growable')
    .option('--color', 'use colours')
    .option('--no-color', 'use no colours')
    .action((id: string, flags: { readonly color?: boolean }) => {
      const catalog = readCatalog();
      const entry = catalog.find(id);
      if (entry === undefined) {
        const nearest = catalog.nearest(id);
        const hint = nearest === undefined ? "'lifetime-lint rules' lists them" : `the nearest is '${nearest}'`;
        throw new UsageError(`There is no rule '${id}'; ${hint}.`);
      }
      io.stdout.write(renderPage(entry, { color: wantsColor(flags.color, io), columns: widthOf(io) }));
    });
}
