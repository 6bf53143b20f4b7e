import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { makeFolder } from '../discover/make-folder.js';
import { reasonOf } from '../discover/list-files.js';
import { UsageError } from '../model/usage-error.js';
import type { Io } from './io.js';

/** Makes the folder of a file that will be written after a long run, so that what is wrong with it is said before. */
export function prepareOutputFile(file: string | undefined, io: Io, what = 'output file'): void {
  if (file === undefined) return;
  const path = resolve(io.cwd, file);
  try {
    makeFolder(dirname(path));
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    if (existsSync(path) && statSync(path).isDirectory()) throw new Error('it is a folder');
  } catch (error) {
    throw new UsageError(`The ${what} '${file}' cannot be written: ${reasonOf(error)}.`);
  }
}

/** Writes a report to the file, or to the standard output; there it goes too when the file cannot be written any more. */
export function writeOutput(text: string, file: string | undefined, io: Io): void {
  if (file === undefined) {
    io.stdout.write(text);
    return;
  }
  const path = resolve(io.cwd, file);
  try {
    makeFolder(dirname(path));
    writeFileSync(path, text);
  } catch (error) {
    io.stdout.write(text);
    throw new UsageError(`The output file '${file}' could not be written: ${reasonOf(error)}.`);
  }
}
