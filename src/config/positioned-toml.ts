import { getStaticTOMLValue, ParseError, parseTOML, type AST } from 'toml-eslint-parser';
import { DocumentError, type PositionedDocument } from './positioned-json.js';

/** Parses TOML and keeps the place of every key and array item. Throws `DocumentError`. */
export function readToml(text: string): PositionedDocument {
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new DocumentError(lowerFirst(error.message), error.lineNumber, error.column + 1);
  }
  const points = new Map<string, { line: number; column: number }>();
  collectTable(program.body[0].body, [], points);
  return {
    value: getStaticTOMLValue(program),
    pointOf(path) {
      for (let length = path.length; length > 0; length--) {
        const point = points.get(pointKey(path.slice(0, length)));
        if (point !== undefined) return point;
      }
      return { line: 1, column: 1 };
    },
  };
}

type Points = Map<string, { line: number; column: number }>;

function collectTable(body: readonly (AST.TOMLKeyValue | AST.TOMLTable)[], at: readonly (string | number)[], points: Points): void {
  for (const node of body) {
    if (node.type === 'TOMLTable') {
      remember(node.resolvedKey, node, points);
      collectTable(node.body, node.resolvedKey, points);
      continue;
    }
    const path = [...at, ...node.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value))];
    remember(path, node, points);
    collectValue(node.value, path, points);
  }
}

function collectValue(node: AST.TOMLContentNode, at: readonly (string | number)[], points: Points): void {
  if (node.type === 'TOMLInlineTable') collectTable(node.body, at, points);
  if (node.type !== 'TOMLArray') return;
  node.elements.forEach((element, index) => {
    const path = [...at, index];
    remember(path, element, points);
    collectValue(element, path, points);
  });
}

function remember(path: readonly (string | number)[], node: AST.TOMLNode, points: Points): void {
  for (let length = 1; length <= path.length; length++) {
    const key = pointKey(path.slice(0, length));
    if (!points.has(key)) points.set(key, { line: node.loc.start.line, column: node.loc.start.column + 1 });
  }
}

function pointKey(path: readonly (string | number)[]): string {
  return path.join('\0');
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1).replace(/\.$/u, '');
}
