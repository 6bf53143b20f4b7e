import { createRequire } from 'node:module';
import type { ESLint, Linter } from 'eslint';
import {
  createPluginEnvironment,
  type JavaScriptVisitor,
  type PluginRules,
  type VisitorEnvironment,
} from './javascript-visitor.js';
import addonNotContextAware from './rules/addon-not-context-aware.js';
import addonOnlyInWorkers from './rules/addon-only-in-workers.js';
import bufferMutatedInFlight from './rules/buffer-mutated-in-flight.js';
import bufferTransferredInFlight from './rules/buffer-transferred-in-flight.js';
import crashMaskingConfig from './rules/crash-masking-config.js';
import loaderProcessReport from './rules/loader-process-report.js';
import nativeHandleUndisposed from './rules/native-handle-undisposed.js';
import pooledBufferTransfer from './rules/pooled-buffer-transfer.js';
import staleMemoryView from './rules/stale-memory-view.js';
import terminateDuringNativeWork from './rules/terminate-during-native-work.js';
import wholeBackingStore from './rules/whole-backing-store.js';

/** Every visitor, by rule id. */
export const visitors: readonly JavaScriptVisitor[] = [
  addonNotContextAware,
  addonOnlyInWorkers,
  bufferMutatedInFlight,
  bufferTransferredInFlight,
  crashMaskingConfig,
  loaderProcessReport,
  nativeHandleUndisposed,
  pooledBufferTransfer,
  staleMemoryView,
  terminateDuringNativeWork,
  wholeBackingStore,
];

/** The rules of the plugin in one environment; the command line makes its own with a sink. */
export function createRules(environment: VisitorEnvironment): PluginRules {
  return Object.fromEntries(visitors.map((visitor) => [visitor.rule.meta.id, visitor.toEslintRule(environment)]));
}

const namespace = 'lifetime-lint';

interface Plugin extends ESLint.Plugin {
  readonly meta: { readonly name: string; readonly version: string };
  readonly rules: PluginRules;
  readonly configs: { readonly recommended: Linter.Config; readonly audit: Linter.Config };
}

const plugin: Plugin = {
  meta: { name: 'lifetime-lint/eslint', version: readVersion() },
  rules: createRules(createPluginEnvironment()),
  configs: {
    recommended: {
      name: 'lifetime-lint/recommended',
      plugins: {
        get [namespace]() {
          return plugin;
        },
      },
      rules: levels((visitor) => visitor.rule.meta.audience === 'everyone' && visitor.rule.meta.severity !== 'note'),
    },
    audit: {
      name: 'lifetime-lint/audit',
      plugins: {
        get [namespace]() {
          return plugin;
        },
      },
      settings: { [namespace]: { notes: true } },
      rules: levels(() => true),
    },
  },
};

function levels(isWanted: (visitor: JavaScriptVisitor) => boolean): Linter.RulesRecord {
  return Object.fromEntries(
    visitors
      .filter(isWanted)
      .map(({ rule }) => [`${namespace}/${rule.meta.id}`, rule.meta.severity === 'error' ? 'error' : 'warn']),
  );
}

function readVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('../../package.json');
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '0.0.0';
}

export default plugin;
export const { configs, meta, rules } = plugin;
