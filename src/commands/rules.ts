import { Option, type Command } from 'commander';
import picocolors from 'picocolors';
import { readCatalog } from '../catalog/read-catalog.js';
import type { RuleLanguage } from '../model/rule.js';
import { wantsColor, type Io } from './io.js';

interface RulesFlags {
  readonly format: 'terminal' | 'json';
  readonly color?: boolean;
}

export function register(program: Command, io: Io): void {
  program
    .command('rules')
    .description('list the rules')
    .addOption(new Option('--format <name>', 'terminal or json').choices(['terminal', 'json']).default('terminal'))
    .option('--color', 'use colours')
    .option('--no-color', 'use no colours')
    .action((flags: RulesFlags) => {
      const { entries } = readCatalog();
      if (flags.format === 'json') {
        const rules = entries.map(({ meta, url }) => ({ ...meta, url }));
        io.stdout.write(`${JSON.stringify({ schema: 1, rules }, null, 2)}\n`);
        return;
      }
      const colors = picocolors.createColors(wantsColor(flags.color, io));
      const paint = { error: colors.red, warning: colors.yellow, note: colors.green };
      const width = Math.max(...entries.map(({ meta }) => meta.id.length));
      const languageWidth = Math.max(...entries.map(({ meta }) => languagesOf(meta.languages).length));
      for (const { meta } of entries) {
        const remarks = [
          ...(meta.audience === 'audit' ? ['audit only'] : []),
          ...(meta.maturity === 'preview' ? ['preview, off by default'] : []),
        ];
        const suffix = remarks.length === 0 ? '' : ` (${remarks.join(', ')})`;
        io.stdout.write(
          `${colors.bold(meta.id.padEnd(width))}  ${paint[meta.severity](meta.severity.padEnd(7))}  ${languagesOf(meta.languages).padEnd(languageWidth)}  ${meta.title}${suffix}\n`,
        );
      }
    });
}

function languagesOf(languages: readonly RuleLanguage[]): string {
  const short: Readonly<Record<RuleLanguage, string>> = { rust: 'Rust', d: 'D', javascript: 'JS' };
  return languages.map((language) => short[language]).join(', ');
}
