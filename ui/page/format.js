/* How times, spans and amounts are written. Amounts are decimal strings; they are cut, never reckoned with. */

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

let skewMs = 0;

/** The server's clock is what events and agreements are told by. */
export function setClock(serverMs) {
  skewMs = serverMs - Date.now();
}

export const now = () => Date.now() + skewMs;

/** `12:03:59`, with the day where it was another one. */
export function time(at) {
  const date = new Date(at);
  const isToday = new Date(now()).toDateString() === date.toDateString();
  return isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export const shortTime = (at) => minute.format(new Date(at));
export const clockTime = (at) => clock.format(new Date(at));
export const dayTime = (at) => `${day.format(new Date(at))}, ${minute.format(new Date(at))}`;

/** `3 h 20 min`. @param ms */
export function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `5 min ago`. */
export function ago(at) {
  const ms = now() - Date.parse(at);
  return ms < 5000 ? 'just now' : `${span(ms)} ago`;
}

const DECIMALS = 6;

/** With six decimals, so that points stand below each other; the whole amount belongs into a title. */
export function amount(text) {
  if (text === undefined) return '';
  const [whole, fraction = ''] = text.split('.');
  if (/^-?0*$/.test(whole) && /^0{6}/.test(fraction) && /[1-9]/.test(fraction)) return '< 0.000001';
  return `${whole}.${fraction.slice(0, DECIMALS).padEnd(DECIMALS, '0')}`;
}

/** Without zeros at its end: for a line of text. */
export function plainAmount(text) {
  if (text === undefined) return '';
  const [whole, fraction = ''] = text.split('.');
  const kept = fraction.slice(0, DECIMALS).replace(/0+$/, '');
  if (kept) return `${whole}.${kept}`;
  return /[1-9]/.test(fraction) && /^0*$/.test(whole) ? '< 0.000001' : whole;
}

/** To place something on a scale; nothing is paid by it. */
export const ratio = (part, all) =>
  Number(all) > 0 ? Math.min(1, Math.max(0, Number(part) / Number(all))) : 0;

/** `tGLM` on test networks. */
export const unitOf = (platform) => (platform?.endsWith('-tglm') ? 'tGLM' : 'GLM');

export const count = (n, one, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
