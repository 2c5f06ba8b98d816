/** Places in a JSON text, for complaints about them: where it breaks off, where it is nested too deep, where a value ends. */

/** Where a JSON text ended too early, or what is wrong with it, roughly as yagna's parser says it. */
export function syntaxComplaint(text: string): string {
  const place = `at line ${text.split('\n').length} column ${text.length - text.lastIndexOf('\n') - 1}`;
  const trimmed = text.trimEnd();
  if (trimmed === '' || trimmed.endsWith(':') || trimmed.endsWith(','))
    return `EOF while parsing a value ${place}`;
  if (trimmed.endsWith('{')) return `EOF while parsing an object ${place}`;
  if (trimmed.endsWith('[')) return `EOF while parsing a list ${place}`;
  if ((trimmed.match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1) return `EOF while parsing a string ${place}`;
  return /^[{["]/.test(trimmed) && !/[}\]"]$/.test(trimmed)
    ? `EOF while parsing an object ${place}`
    : 'expected value at line 1 column 1';
}

/** How deep a JSON text may be nested, as for yagna's parser. */
const MAX_DEPTH = 128;

/** Where a JSON text is nested too deep, as a column; undefined when it is not. */
export function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') i = endOfString(text, i) - 1;
    else if (character === '{' || character === '[') {
      if (++depth > MAX_DEPTH) return i + 1;
    } else if (character === '}' || character === ']') depth--;
  }
  return undefined;
}

/** Where the value of a field ends in the text of an object; undefined when the field is not there. */
export function endOfField(text: string, name: string): number | undefined {
  const key = JSON.stringify(name);
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1)) {
    const colon = /\s*:\s*/y;
    colon.lastIndex = at + key.length;
    if (colon.test(text)) return endOfValue(text, colon.lastIndex);
  }
  return undefined;
}

function endOfValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from);
  if (first !== '{' && first !== '[') {
    const scalar = /[^,\]}\s]*/y;
    scalar.lastIndex = from;
    scalar.test(text);
    return scalar.lastIndex;
  }
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '"') i = endOfString(text, i) - 1;
    else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return i + 1;
  }
  return text.length;
}

/** Where the string ends whose opening quote is at an index. */
function endOfString(text: string, quote: number): number {
  let i = quote + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}
