import * as v from 'valibot';

const severity = v.picklist(['note', 'warning', 'error']);
const globs = (description: string) => v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.description(description));

/** The configuration file as written. The JSON Schema in `schema/` is generated from this. */
export const configSchema = v.strictObject({
  $schema: v.optional(v.pipe(v.string(), v.description('The JSON Schema of this file, for editors.'))),
  rules: v.optional(
    v.pipe(
      v.record(v.string(), v.picklist(['off', 'note', 'warning', 'error'])),
      v.description(
        'Level of a rule by its id. A finding that a rule itself puts below its default keeps the lower level. A rule in preview runs only when it is given one.',
      ),
    ),
  ),
  include: v.optional(globs('Only files that match one of these .gitignore-style patterns are scanned.')),
  exclude: v.optional(globs('Files that match one of these .gitignore-style patterns are not scanned.')),
  minSeverity: v.optional(
    v.pipe(severity, v.description("Findings below this severity are not shown. Default: 'note'.")),
  ),
  minConfidence: v.optional(
    v.pipe(
      v.picklist(['low', 'medium', 'high']),
      v.description("Findings below this confidence are not shown. Default: 'low'."),
    ),
  ),
  failOn: v.optional(
    v.pipe(severity, v.description("Findings at or above this severity make the exit code 1. Default: 'warning'.")),
  ),
  audience: v.optional(
    v.pipe(
      v.picklist(['everyone', 'audit']),
      v.description("'audit' also shows what only a reviewer of unsafe code needs. Default: 'everyone'."),
    ),
  ),
  targets: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(), v.minLength(1))),
      v.description('Target triples that the addons are built for; replaces what the manifests say.'),
    ),
  ),
  native: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(), v.minLength(1))),
      v.description('Module names that JavaScript rules treat as native addons.'),
    ),
  ),
  suppress: v.optional(
    v.pipe(
      v.array(
        v.strictObject({
          id: v.pipe(v.string(), v.description('The id of a rule.')),
          path: v.pipe(v.string(), v.minLength(1), v.description('A .gitignore-style pattern.')),
          reason: v.pipe(
            v.string(),
            v.regex(/\S/, 'must not be empty'),
            v.description('Why the finding is acceptable.'),
          ),
        }),
      ),
      v.description('Findings that are accepted in files that cannot hold comments.'),
    ),
  ),
  baseline: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.description('A file with the fingerprints of accepted findings, relative to this file.'),
    ),
  ),
});

export type ConfigFile = v.InferOutput<typeof configSchema>;
