/**
 * Text that others wrote, providers above all, made fit to be shown and kept: one line, without characters that could
 * falsify what a terminal shows, and no longer than it may be.
 */

/** Control characters, and those that turn the direction of text; the inside of a character class. */
export const UNPRINTABLE = '\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069';

const GAPS = new RegExp(`[\\s${UNPRINTABLE}]+`, 'g');
const LONGEST = 100;
const MOST = 30;

/** At most `longest` characters, the last of them `…` where it was cut; what cannot be printed becomes a space. */
export function foreignText(text: string, longest = LONGEST): string {
  const line = text.replace(GAPS, ' ').trim();
  if (line.length <= longest) return line;
  // Half of a character that takes two units is none.
  return `${line.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** The first 30 texts of what should be a list of texts. */
export function foreignTexts(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  const texts = list.filter((item): item is string => typeof item === 'string');
  return texts.slice(0, MOST).map((text) => foreignText(text));
}

/** What should be a text, a number, true or false, as it may be shown; nothing where it is anything else. */
export function foreignValue(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return typeof value === 'string' ? foreignText(value) : undefined;
}
