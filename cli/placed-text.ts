/** YAML, and JSON with comments, of which each part's line and column are known. */
import { findNodeAtLocation, parse, parseTree, printParseErrorCode, type ParseError } from 'jsonc-parser';
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import type { Path } from '../model/spec-problems';

export interface Place {
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
}

export interface PlacedText {
  value: unknown;
  /** Of the part at a path; where there is none, of what it should be in. */
  placeOf(path: Path): Place;
}

/** @throws SyntaxError - `line 3, column 7: comma expected`. It quotes nothing of the text. */
export function readJsonWithComments(content: string): PlacedText {
  // Editors on Windows begin a file with a byte-order mark.
  const json = content.replace(/^\uFEFF/, '');
  const mistakes: ParseError[] = [];
  const options = { allowTrailingComma: true };
  const value: unknown = parse(json, mistakes, options);
  const [first] = mistakes;
  if (first) throw mistake(placeAt(json, first.offset), inWords(printParseErrorCode(first.error)));
  const root = parseTree(json, [], options);
  const placeOf = (path: Path): Place => {
    for (let depth = path.length; root && depth > 0; depth--) {
      const steps = path.slice(0, depth).map((step) => (typeof step === 'number' ? step : String(step)));
      const node = findNodeAtLocation(root, steps);
      const named = node?.parent?.type === 'property' ? node.parent : node;
      if (named) return placeAt(json, named.offset);
    }
    return placeAt(json, root?.offset ?? 0);
  };
  return { value, placeOf };
}

/** What a YAML document may refer to again in all: one that is meant well needs few. */
const MOST_ALIASES = 100;

/** @throws SyntaxError - as of JSON */
export function readYaml(content: string): PlacedText {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false, merge: true });
  const [first] = document.errors;
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  // Of later mistakes most follow from the first.
  if (first) throw mistake(at(first.pos[0]), yamlWords(first.code, first.message));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
    // What refers to itself is made whole; it can go nowhere.
    JSON.stringify(value);
  } catch {
    throw mistake({ line: 1, column: 1 }, 'it refers to itself, or to its parts too often');
  }
  return { value, placeOf: (path) => at(offsetIn(document, path)) };
}

function offsetIn(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = rangeOf(node) ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    const next: unknown = isMap(node)
      ? node.items.find(({ key }) => (isScalar(key) ? key.value : key) === step)
      : isSeq(node)
        ? node.items[Number(step)]
        : undefined;
    if (next === undefined) break;
    offset = rangeOf(isPair(next) ? next.key : next) ?? offset;
    node = isPair(next) ? next.value : next;
  }
  return offset;
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];
}

function yamlWords(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'YAML is indented by spaces: replace the tab';
  if (code === 'MULTIPLE_DOCS') return 'it holds several documents, and only one can be taken';
  const line = message.split('\n')[0] ?? '';
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function mistake({ line, column }: Place, what: string): SyntaxError {
  return new SyntaxError(`line ${line}, column ${column}: ${what}`);
}

function placeAt(content: string, offset: number): Place {
  const before = content.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** `CommaExpected` is `comma expected`. */
function inWords(code: string): string {
  return code.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}
