import * as v from 'valibot';
import { reasonOf } from '../../discover/list-files.js';
import { readNamedText } from '../../discover/read-named-text.js';

const count = v.pipe(v.number(), v.integer(), v.minValue(1));

/** The flags of `repro` that one way of running has, under the names of the command line in camel case. */
const flags = {
  target: v.optional(v.string()),
  command: v.optional(v.string()),
  scenario: v.optional(v.string()),
  workers: v.optional(count),
  calls: v.optional(count),
  timeout: v.optional(v.pipe(v.number(), v.minValue(0.1))),
  amplifier: v.optional(v.string()),
  driver: v.optional(v.string()),
  inputs: v.optional(v.string()),
  env: v.optional(v.record(v.string(), v.string())),
  node: v.optional(v.string()),
  nodeFlags: v.optional(v.array(v.string())),
  mainLoads: v.optional(v.boolean()),
  allowScripts: v.optional(v.boolean()),
  /** Shell command that builds the variant's target before the first run, for example with a feature left out. */
  build: v.optional(v.string()),
};

const schema = v.strictObject({
  $schema: v.optional(v.string()),
  schema: v.literal(1),
  base: v.strictObject(flags),
  variants: v.pipe(
    v.array(v.strictObject({ name: v.pipe(v.string(), v.nonEmpty()), set: v.optional(v.strictObject(flags), {}) })),
    v.minLength(2, 'expects at least two variants, one of them with an empty "set" to compare with'),
  ),
  runs: v.optional(count, 20),
  seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 1),
});

export type VariantFlags = v.InferOutput<typeof schema>['base'];

export interface ExperimentPlan {
  readonly variants: readonly { readonly name: string; readonly set: VariantFlags; readonly flags: VariantFlags }[];
  /** Runs of each variant. */
  readonly runs: number;
  readonly seed: number;
}

/** Reads and checks a plan; the flags of each variant are those of the base with its own on top (`env` is merged by name). */
export function readPlan(path: string): ExperimentPlan | { readonly error: string } {
  let text: string;
  try {
    text = readNamedText(path);
  } catch (error) {
    return { error: `The plan '${path}' cannot be read: ${reasonOf(error)}.` };
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return { error: `The plan '${path}' is not valid JSON: ${reasonOf(error)}.` };
  }
  return checkPlan(parsed, path);
}

/** @param path names the plan in messages */
export function checkPlan(parsed: unknown, path: string): ExperimentPlan | { readonly error: string } {
  const result = v.safeParse(schema, parsed);
  if (!result.success) {
    const [issue] = result.issues;
    const place = v.getDotPath(issue);
    return {
      error: `The plan '${path}' is wrong${place === null ? '' : ` at '${place}'`}: ${issue.message.replace(/\.$/u, '')}.`,
    };
  }
  const { base, variants, runs, seed } = result.output;
  const names = new Set<string>();
  for (const { name } of variants) {
    if (names.has(name)) return { error: `The plan '${path}' has two variants named '${name}'.` };
    names.add(name);
  }
  return {
    variants: variants.map(({ name, set }) => ({
      name,
      set,
      flags: { ...base, ...set, ...((base.env ?? set.env) ? { env: { ...base.env, ...set.env } } : {}) },
    })),
    runs,
    seed,
  };
}
