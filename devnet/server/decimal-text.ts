/**
 * Decimal numbers as requests write them, with an exponent or without. yagna takes any; here a number has so many digits
 * that it can be printed in full and calculated with exactly.
 */
export const MAX_INTEGER_DIGITS = 30;
export const MAX_DECIMALS = 40;

/** More than any number within bounds needs. */
const MAX_LENGTH = 200;

export const OUT_OF_RANGE = { complaint: 'number out of range' };

/** The same number without exponent, as yagna prints it, or what its parser would say of it. */
export function readDecimal(text: string): { plain: string } | { complaint: string } {
  if (text.length > MAX_LENGTH) return OUT_OF_RANGE;
  const match = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return { complaint: 'invalid digit found in string' };
  const [, sign, integer = '', fraction = '', exponent = '0'] = match;
  const digits = integer + fraction;
  // Where the decimal point is, counted from the first digit.
  const point = integer.length + Number(exponent);
  const zeros = /^0*/.exec(digits)?.[0].length ?? 0;
  const isZero = zeros === digits.length;
  if (Math.abs(point) > MAX_LENGTH || digits.length - point > MAX_DECIMALS) return OUT_OF_RANGE;
  if (!isZero && point - zeros > MAX_INTEGER_DIGITS) return OUT_OF_RANGE;
  const whole = digits.slice(0, Math.max(0, point)).padEnd(point, '0').replace(/^0+/, '') || '0';
  const decimals = digits.slice(Math.max(0, point)).padStart(digits.length - point, '0');
  const minus = sign === '-' && !isZero ? '-' : '';
  return { plain: `${minus}${whole}${decimals === '' ? '' : `.${decimals}`}` };
}
