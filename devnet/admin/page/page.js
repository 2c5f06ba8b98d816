/*
 * Draws /state, and again whenever /effects tells of something new: no polling without a reason. Everything that
 * comes from the network is set as text, never as markup.
 */
'use strict';

const EFFECTS_SHOWN = 100;
/** Kept, for those that are looked for. */
const EFFECTS_KEPT = 1000;
/** How long the devnet may keep an answer back while nothing happens, and how much later it is taken for one that hangs. */
const WAIT_SEC = 2;
const GRACE_SEC = 2;
const REDRAW_MS = 500;
const RETRY_MS = 2000;

let state;
let effects = [];

const $ = (selector) => document.querySelector(selector);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const time = (at) => new Date(at).toLocaleTimeString('en-GB');
const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;
/** A cell of one piece; a piece is text, or an id. */
const cell = (text, className = '', title = '') => ({ pieces: [String(text ?? '')], className, title });
const idCell = (id = '') => ({ pieces: [{ id }], className: '', title: '' });
const number = (text, title = '') => cell(text, 'number', title);
const named = (text, title = '') => cell(text, 'name', title);

async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout((WAIT_SEC + GRACE_SEC) * 1000) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return await response.json();
}

/** Brings a table's rows to what they should be, touching only what has changed. */
function draw(section, items, keyOf, cellsOf, none = 'none') {
  const body = $(`#${section} tbody`);
  const labels = [...document.querySelectorAll(`#${section} th`)].map((th) => th.textContent);
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => [keyOf(item), cellsOf(item)]);
  if (wanted.length === 0) wanted.push(['', [cell(none, 'empty')]]);
  wanted.forEach(([key, cells], index) => {
    const row = rows.get(key) ?? document.createElement('tr');
    rows.delete(key);
    row.dataset.key = key;
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    cells.forEach(({ pieces, className, title }, column) => {
      const td = row.cells[column] ?? row.insertCell();
      const content = JSON.stringify(pieces);
      if (td.dataset.content !== content) td.replaceChildren(...pieces.map(nodeOf));
      td.dataset.content = content;
      if (td.className !== className) td.className = className;
      if (td.title !== title) td.title = title;
      if (key === '') td.colSpan = 100;
      else td.dataset.label = labels[column];
    });
  });
  for (const row of rows.values()) row.remove();
}

/** An id is there as a whole, to be copied, though only its beginning is seen until it has the focus. */
function nodeOf(piece) {
  if (typeof piece === 'string') return document.createTextNode(piece);
  const id = document.createElement('span');
  id.className = 'id';
  id.tabIndex = 0;
  id.title = id.textContent = piece.id;
  return id;
}

function drawAll() {
  const { counts, links } = state;
  const singular = (name) => name.replace(/ies$/, 'y').replace(/s$/, '');
  const all = Object.entries(counts).map(([name, n]) => count(n, singular(name), name));
  $('#counts').textContent = all.join(' · ');
  for (const name of ['agreements', 'activities', 'allocations']) {
    const [shown, all] = [state[name].length, counts[name]];
    $(`#${name} .count`).textContent = shown < all ? `${shown} of ${all}` : all || '';
  }

  draw(
    'nodes',
    state.nodes,
    ({ name }) => name,
    ({ name, url, running, identities }) => [
      named(name),
      running ? cell('running', 'good') : cell('stopped', 'bad'),
      cell(url),
      { pieces: identities.map((id) => ({ id })), className: '', title: '' },
    ],
  );
  draw(
    'money',
    state.money,
    ({ node, platform }) => `${node} ${platform}`,
    ({ node, platform, balance, reserved, accepted, paid }) => [
      ...[named(node), cell(platform)],
      ...[balance, reserved, accepted, paid].map((amount) => number(rounded(amount), amount)),
    ],
    'no allocation was made yet',
  );
  draw(
    'faults',
    [
      ...state.faults.map(faultRow),
      ...links.cuts.map(({ node, provider }, i) => ({
        key: `cut ${i}`,
        cells: [cell('network'), cell('cut', 'bad'), named(place(node, provider)), cell('now'), cell('')],
      })),
    ],
    ({ key }) => key,
    ({ cells }) => cells,
  );
  drawProviders();
  drawEffects();
  draw(
    'agreements',
    state.agreements,
    ({ id }) => id,
    ({ id, state, node, provider, created }) => [
      ...[idCell(id), cell(state, state === 'Approved' ? 'good' : 'busy')],
      ...[named(node), named(provider), cell(time(created), 'time')],
    ],
  );
  draw(
    'activities',
    state.activities,
    ({ id }) => id,
    ({ id, state: [now, next], provider, agreementId }) => [
      ...[idCell(id), next ? cell(`${now} → ${next}`, 'busy') : cell(now, 'good')],
      ...[named(provider), idCell(agreementId)],
    ],
  );
  draw(
    'allocations',
    state.allocations,
    ({ id }) => id,
    ({ id, node, platform, total, spent }) => [
      ...[idCell(id), named(node), cell(platform)],
      ...[total, spent].map((amount) => number(rounded(amount), amount)),
    ],
  );
}

function drawProviders() {
  const wanted = $('#filter').value.trim().toLowerCase();
  const found = state.providers.filter(({ name }) => name.toLowerCase().includes(wanted));
  const all = state.counts.providers;
  $('#providers .count').textContent = found.length < all ? `${found.length} of ${all}` : all;
  draw(
    'providers',
    found,
    ({ id }) => id,
    ({ name, trouble, agreements, agreementLimit, pricing, hardware, subnet, id }) => [
      named(name, `subnet ${subnet}`),
      trouble ? cell(trouble, 'bad') : agreements > 0 ? cell('serving', 'busy') : cell('free', 'good'),
      number(`${agreements} of ${agreementLimit}`),
      ...[pricing.start, pricing.cpuPerHour, pricing.envPerHour].map((price) => number(price)),
      cell(hardwareOf(hardware)),
      idCell(id),
    ],
    'no provider has such a name',
  );
}

function drawEffects() {
  const wanted = $('#which').value.trim().toLowerCase();
  const found = effects.filter((effect) => JSON.stringify(effect).toLowerCase().includes(wanted));
  const shown = found.slice(0, EFFECTS_SHOWN);
  $('#effects .count').textContent = shown.length < state.seq ? `${shown.length} of ${state.seq}` : '';
  draw(
    'effects',
    shown,
    ({ seq }) => String(seq),
    ({ seq, at, kind, cause, ...fields }) => [
      ...[number(seq), cell(time(at), 'time'), cell(kind, `kind ${tone(kind, fields)}`.trim()), named(cause)],
      { pieces: about(fields), className: 'about', title: '' },
    ],
    wanted === '' ? 'nothing has happened yet' : 'none of the newest has it',
  );
}

function hardwareOf({ cpuThreads, memGib, storageGib }) {
  return `${count(cpuThreads, 'thread', 'threads')}, ${memGib} GiB, ${storageGib} GiB disk`;
}

function faultRow(fault) {
  const { id, on, node, provider, nth, times, probability, matches, hits } = fault;
  const when = [nth > 1 && `from match ${nth} on`, times === 0 ? 'always' : `${times} ×`];
  if (probability < 1) when.push(`at ${probability * 100} %`);
  return {
    key: id,
    cells: [
      ...[cell(on), cell(fault.do, 'bad', JSON.stringify(fault)), named(place(node, provider))],
      ...[
        cell(when.filter(Boolean).join(', ')),
        number(matches === 0 ? 'no match yet' : `${hits} of ${matches}`),
      ],
    ],
  };
}

const place = (node, provider) => [node && `node ${node}`, provider].filter(Boolean).join(', ') || 'anywhere';

/** What came of an effect, and which things it is about; of what is listed how many there are. */
function about(fields) {
  const isId = ([name]) => /Id$/.test(name);
  const shown = Object.entries(fields)
    .sort((one, other) => isId(one) - isId(other))
    .filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return shown.flatMap(([name, value], index) => [
    `${index > 0 ? ' · ' : ''}${name.replace(/Id$/, '')} `,
    textOf(value),
  ]);
}

function textOf(value) {
  if (Array.isArray(value))
    return value.some((item) => typeof item === 'object') ? String(value.length) : value.join(' ');
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^(R-|0x)?[0-9a-f-]{20,}$/.test(text) ? { id: text } : text;
}

const BAD = new RegExp(
  '^(fault|link-cut|payment-short-of-funds|' +
    '.*-(crashed|expired|forgotten|frozen|refused|rejected|shut-down|stopped))$',
);
/** How a provider ends an agreement when all went as agreed. */
const IN_GOOD_ORDER = ['Success', 'Shutdown', 'Expired'];

function tone(kind, { reason, result }) {
  if (BAD.test(kind) || (kind === 'command-finished' && result === 'Error')) return 'bad';
  if (kind === 'script-finished') return result === 'Ok' ? 'good' : 'bad';
  if (kind === 'activity-destroyed') return /^(destroyed|agreement-ended)$/.test(reason) ? '' : 'bad';
  const code = reason?.['golem.provider.code'];
  if (kind === 'agreement-terminated' && code !== undefined && !IN_GOOD_ORDER.includes(code)) return 'bad';
  return /^paid$|-(approved|accepted|settled)$/.test(kind) ? 'good' : '';
}

/** To 6 decimals, cut off, for the eye; the whole amount is the cell's title. */
function rounded(amount) {
  const [whole, fraction = ''] = amount.split('.');
  const kept = fraction.slice(0, 6).replace(/0+$/, '');
  if (kept) return `${whole}.${kept}`;
  return /[1-9]/.test(fraction) && whole === '0' ? '< 0.000001' : whole;
}

function connection(text, isLost) {
  $('#link').textContent = text;
  $('#link').className = isLost ? 'lost' : '';
}

async function watch() {
  for (;;) {
    try {
      state = await get('/state');
      const last = effects[0]?.seq ?? Math.max(0, state.seq - EFFECTS_KEPT);
      // A devnet that began anew counts anew.
      if (last > state.seq) effects = [];
      else if (last < state.seq) remember(await get(`/effects?after=${last}`));
      drawAll();
      const drawnAt = Date.now();
      do connection(`live, ${time(Date.now())}`);
      while ((await get(`/effects?after=${state.seq}&timeout=${WAIT_SEC}`)).length === 0);
      // What comes after a silence is drawn at once, a flood twice a second.
      await pause(drawnAt + REDRAW_MS - Date.now());
    } catch {
      connection('the devnet does not answer', true);
      await pause(RETRY_MS);
    }
  }
}

function remember(news) {
  effects = [...news.reverse(), ...effects].slice(0, EFFECTS_KEPT);
}

$('#which').addEventListener('input', () => state && drawEffects());
$('#filter').addEventListener('input', () => state && drawProviders());
void watch();
