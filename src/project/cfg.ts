/**
 * Rust's conditional compilation, three-valued: what a manifest or a triple decides is yes or no, what depends on the build
 * (custom cfgs, target features) is unknown, and unknown never silences a finding.
 */
import type { FeatureStates, Tri } from '../model/project.js';
import { readTriple, type TripleFacts } from './triples.js';

export type CfgExpression =
  | { readonly kind: 'all' | 'any'; readonly items: readonly CfgExpression[] }
  | { readonly kind: 'not'; readonly item: CfgExpression }
  | { readonly kind: 'name'; readonly name: string; readonly value?: string }
  | { readonly kind: 'constant'; readonly value: boolean };

export interface CfgContext {
  readonly triple: string;
  readonly features: FeatureStates;
  /** An optimised build has no debug assertions; unknown when no build is known. */
  readonly release?: Tri;
  /** Further cfgs that are known: `--cfg name` in rustflags. */
  readonly custom?: FeatureStates;
}

const token = /\s*(?:(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|([A-Za-z_][A-Za-z0-9_]*)|r?#?"((?:[^"\\]|\\.)*)"#?|([(),=]))/y;
const parsed = new Map<string, CfgExpression | undefined>();

/** Parses `all(unix, feature = "x")`, with or without an outer `cfg(..)` or `#[cfg(..)]`. Undefined when it is no cfg expression. */
export function readCfg(text: string): CfgExpression | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const tokens: string[] = [];
  token.lastIndex = 0;
  const source = text
    .trim()
    .replace(/^#!?\[\s*/, '')
    .replace(/\s*\]$/, '');
  let end = 0;
  for (let found = token.exec(source); found !== null; found = token.exec(source)) {
    end = token.lastIndex;
    if (found[2] !== undefined) tokens.push(found[2]);
    else if (found[3] !== undefined) tokens.push(`"${found[3]}`);
    else if (found[4] !== undefined) tokens.push(found[4]);
  }
  let at = 0;
  const read = (): CfgExpression | undefined => {
    const name = tokens[at++];
    if (name === undefined || name.startsWith('"') || '(),='.includes(name)) return undefined;
    if (tokens[at] === '(') {
      at++;
      const items: CfgExpression[] = [];
      while (tokens[at] !== ')') {
        const item = read();
        if (item === undefined || at >= tokens.length) return undefined;
        items.push(item);
        if (tokens[at] === ',') at++;
      }
      at++;
      const only = items[0];
      if (name === 'cfg') return items.length === 1 ? only : undefined;
      if (name === 'all' || name === 'any') return { kind: name, items };
      if (name === 'not' && only !== undefined) return { kind: 'not', item: only };
      return { kind: 'name', name: `${name}()` };
    }
    if (tokens[at] === '=') {
      const value = tokens[at + 1];
      at += 2;
      return value?.startsWith('"') === true ? { kind: 'name', name, value: value.slice(1) } : undefined;
    }
    if (name === 'true' || name === 'false') return { kind: 'constant', value: name === 'true' };
    return { kind: 'name', name };
  };
  const expression = source.slice(end).trim() === '' ? read() : undefined;
  const result = at === tokens.length ? expression : undefined;
  parsed.set(text, result);
  return result;
}

/** The features that an expression asks about, each once, in source order. */
export function findFeatures(expression: CfgExpression): readonly string[] {
  const names = new Set<string>();
  const visit = (node: CfgExpression): void => {
    if (node.kind === 'all' || node.kind === 'any') node.items.forEach(visit);
    else if (node.kind === 'not') visit(node.item);
    else if (node.kind === 'name' && node.name === 'feature' && node.value !== undefined) names.add(node.value);
  };
  visit(expression);
  return [...names];
}

/** Kleene's three-valued logic over the expression. Text that is no cfg expression is unknown. */
export function evaluateCfgText(text: string, context: CfgContext): Tri {
  const expression = readCfg(text);
  return expression === undefined ? 'unknown' : evaluate(expression, context, readTriple(context.triple));
}

const noFeatures: FeatureStates = new Map();

/** Whether a `[target.'..'.dependencies]` key (`cfg(..)` or a triple) holds on a triple. */
export function targetApplies(target: string, triple: string): Tri {
  return target.startsWith('cfg(')
    ? evaluateCfgText(target, { triple, features: noFeatures })
    : target === triple
      ? 'yes'
      : 'no';
}

function evaluate(node: CfgExpression, context: CfgContext, triple: TripleFacts): Tri {
  switch (node.kind) {
    case 'constant':
      return node.value ? 'yes' : 'no';
    case 'not':
      return negate(evaluate(node.item, context, triple));
    case 'all':
      return conjoin(node.items.map((item) => evaluate(item, context, triple)));
    case 'any':
      return negate(conjoin(node.items.map((item) => negate(evaluate(item, context, triple)))));
    case 'name':
      return evaluateName(node.name, node.value, context, triple);
  }
}

/** Cfgs that are never set in what a package publishes: they belong to test runs, documentation and checkers. */
const neverPublished = new Set([
  'test',
  'doc',
  'doctest',
  'miri',
  'loom',
  'fuzzing',
  'proc_macro',
  'clippy',
  'rust_analyzer',
  'coverage',
  'coverage_nightly',
  'docsrs',
  'kani',
]);

function evaluateName(name: string, value: string | undefined, context: CfgContext, triple: TripleFacts): Tri {
  const custom = context.custom?.get(value === undefined ? name : `${name}="${value}"`);
  if (custom !== undefined) return custom;
  if (value === undefined) {
    if (name === 'unix' || name === 'windows') return is(triple.families.includes(name));
    if (name === 'debug_assertions' || name === 'overflow_checks') return negate(context.release ?? 'unknown');
    return neverPublished.has(name) ? 'no' : 'unknown';
  }
  switch (name) {
    case 'feature':
      return context.features.get(value) ?? 'no';
    case 'target_os':
      return is(triple.os === value);
    case 'target_arch':
      return is(triple.arch === value);
    case 'target_env':
      return is(triple.env === value);
    case 'target_abi':
      return is(triple.abi === value);
    case 'target_vendor':
      return is(triple.vendor === value);
    case 'target_family':
      return is(triple.families.includes(value));
    case 'target_pointer_width':
      return is(triple.pointerWidth === value);
    case 'target_endian':
      return is(triple.endian === value);
    case 'panic':
      // Wasm aborts; elsewhere the profile decides, and it is rarely anything but the default.
      return triple.families.includes('wasm') ? is(value === 'abort') : 'unknown';
    case 'target_has_atomic':
      return value === '128' || (value === '64' && triple.pointerWidth === '32') ? 'unknown' : 'yes';
    default:
      return 'unknown';
  }
}

function negate(value: Tri): Tri {
  return value === 'yes' ? 'no' : value === 'no' ? 'yes' : 'unknown';
}

/** `no` if any is no, else `unknown` if any is unknown, else `yes` (also for none at all). */
export function conjoin(values: readonly Tri[]): Tri {
  return values.includes('no') ? 'no' : values.includes('unknown') ? 'unknown' : 'yes';
}

/** `yes` if any is yes, else `unknown` if any is unknown, else `no`. */
export function disjoin(values: readonly Tri[]): Tri {
  return values.includes('yes') ? 'yes' : values.includes('unknown') ? 'unknown' : 'no';
}

function is(condition: boolean): Tri {
  return condition ? 'yes' : 'no';
}
