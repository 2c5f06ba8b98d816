/** JSON that somebody has written, and where in it the first mistake is: V8 says so only for some mistakes, by offset. */
import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser';

/**
 * @throws SyntaxError - `line 3, column 7: comma expected`. It quotes nothing of the text, which may hold secrets.
 */
export function parseJsonText(text: string): unknown {
  // Editors on Windows begin a file with a byte-order mark.
  const json = text.replace(/^\uFEFF/, '');
  try {
    return JSON.parse(json);
  } catch {
    const mistakes: ParseError[] = [];
    parse(json, mistakes, { disallowComments: true });
    const [first] = mistakes;
    if (!first) throw new SyntaxError('a mistake that cannot be located');
    const before = json.slice(0, first.offset).split(/\r\n|\r|\n/);
    const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    throw new SyntaxError(`${place}: ${inWords(printParseErrorCode(first.error))}`);
  }
}

/** `CommaExpected` is `comma expected`. */
function inWords(code: string): string {
  return code.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}
