import type { Command } from 'commander';
import type { Io } from './io.js';

/** What `src/commands/<name>.ts` exports. `register` adds one command to the program; its action sets the exit code. */
export interface CommandModule {
  register(program: Command, io: Io, exit: (code: number) => void): void;
}

/** Every command by the word that calls it; the first is the default. A module is loaded only when it is called. */
export const commands: Readonly<Record<string, () => Promise<CommandModule>>> = {
  scan: () => import('./scan.js'),
  explain: () => import('./explain.js'),
  rules: () => import('./rules.js'),
  init: () => import('./init.js'),
  repro: () => import('./repro.js'),
  bisect: () => import('./bisect.js'),
  experiment: () => import('./experiment.js'),
  workflow: () => import('./workflow.js'),
  verify: () => import('./verify.js'),
  checklist: () => import('./checklist.js'),
};

/** The command that is meant when none is named. */
export const defaultCommand = 'scan';
