/**
 * The layers of the code, each rule with its reason. `docs/design.md` shows the same as a picture.
 * @type {import('dependency-cruiser').IConfiguration}
 */
export default {
  forbidden: [
    {
      name: 'no-circles',
      comment:
        'A circle means that two modules are one, or that a shared part has no home yet. The lowering of a language is ' +
        'as recursive as the language itself, so its files may call each other.',
      severity: 'error',
      from: { pathNot: '^src/parsers/[^/]+/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'model-imports-nothing',
      comment: 'The model is what everything agrees on; it must be usable by any part without bringing another along.',
      severity: 'error',
      from: { path: '^src/model/' },
      to: { pathNot: '^src/model/' },
    },
    {
      name: 'flow-imports-model',
      comment:
        'One flow core serves every language, so it may know the neutral tree and nothing of languages, files or rules.',
      severity: 'error',
      from: { path: '^src/flow/' },
      to: { pathNot: '^src/(flow|model)/' },
    },
    {
      name: 'packs-stand-alone',
      comment:
        'A third language must touch one folder of src: a pack knows the pack contract, the parser, flow and the model, and no other pack.',
      severity: 'error',
      from: { path: '^src/parsers/([^/]+)/' },
      to: { pathNot: '^src/(parsers/(pack|tree|syntax|cut-map|join-bodies)\\.ts$|parsers/$1/|flow/|model/)' },
    },
    {
      name: 'rules-see-facts-only',
      comment: 'Rules read typed facts; a rule that touches a syntax node would have to be written once per language.',
      severity: 'error',
      from: { path: '^src/rules/' },
      to: {
        path: [
          '^src/(parsers|discover|commands|report|dynamic|config|engine)/',
          'web-tree-sitter',
          '^(node:)?(fs|child_process)',
        ],
      },
    },
    {
      name: 'reporters-see-results-only',
      comment: 'A report is a function of the result and the catalog, so that every surface tells the same.',
      severity: 'error',
      from: { path: '^src/report/' },
      to: { path: '^src/', pathNot: '^src/(report|model|catalog)/' },
    },
    {
      name: 'one-parser',
      comment: 'The memory of the WASM parser is freed in one place only.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/parsers/(tree|cursor|runtime)\\.ts$' },
      to: { path: 'node_modules/web-tree-sitter' },
    },
    {
      name: 'disk-at-the-edges',
      comment: 'What decides is a function of what was read: only the edges touch the file system.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/(discover/|parsers/(tree|runtime)\\.ts$|project/|dynamic/|commands/|catalog/read-|config/read-|eslint/|cli\\.ts$|scan\\.ts$)',
      },
      to: { path: '^(node:)?fs(/promises)?$' },
    },
    {
      name: 'scanning-runs-nothing',
      comment:
        'A scan must be safe on code that nobody has read yet: only git (for the listing) and what was asked for by name starts a program.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(discover/list-files\\.ts$|dynamic/|commands/)' },
      to: { path: '^(node:)?child_process$' },
    },
    {
      name: 'the-harness-stands-alone',
      comment:
        'The child that loads a target is a plain Node, compiled by itself where the sources run without a build: it has neither our other modules nor our packages, only their types.',
      severity: 'error',
      from: { path: '^src/dynamic/child/' },
      to: { pathNot: '^src/dynamic/child/', dependencyTypesNot: ['core', 'type-only'] },
    },
    {
      name: 'nothing-imports-the-command',
      comment: 'Only the command exits; a library that could would be a trap.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/((cli|main)\\.ts$|commands/)' },
      to: { path: '^src/((cli|main)\\.ts$|commands/)' },
    },
    {
      name: 'shipped-code-needs-no-development-dependency',
      comment: 'What only this repository installs is not there for a user.',
      severity: 'error',
      // The harness compiles itself only where the sources run without a build; the compiler that reads declarations is
      // installed on first use where it is missing.
      from: { path: '^src/', pathNot: '^src/dynamic/(harness|compiler)\\.ts$' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
        pathNot: ['node_modules/@types/', 'node_modules/(@typescript-eslint|eslint)/'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
