/** An action of a workflow, pinned by commit; the tag is for people. */
export interface PinnedAction {
  readonly name: string;
  readonly commit: string;
  readonly tag: string;
}

export const actions = {
  checkout: { name: 'actions/checkout', commit: '3d3c42e5aac5ba805825da76410c181273ba90b1', tag: 'v7.0.1' },
  setupNode: { name: 'actions/setup-node', commit: '820762786026740c76f36085b0efc47a31fe5020', tag: 'v7.0.0' },
  uploadArtifact: {
    name: 'actions/upload-artifact',
    commit: 'bbbca2ddaa5d8feaa63e36b76fdaad77386f024f',
    tag: 'v7.0.0',
  },
  downloadArtifact: {
    name: 'actions/download-artifact',
    commit: '3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c',
    tag: 'v8.0.1',
  },
  uploadSarif: {
    name: 'github/codeql-action/upload-sarif',
    commit: '8aad20d150bbac5944a9f9d289da16a4b0d87c1e',
    tag: 'v4.36.2',
  },
} as const satisfies Record<string, PinnedAction>;

/** The value of `uses:` with the tag behind it. */
export function uses({ name, commit, tag }: PinnedAction): string {
  return `${name}@${commit} # ${tag}`;
}
