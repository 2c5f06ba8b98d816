/*
 * Draws /state, and again whenever /effects tells of something new: no polling without a reason. Everything that
 * comes from the network is set as text, never as markup.
 */
'use strict';

const EFFECTS_SHOWN = 100;
/** The answer comes earlier when something happens; this long a silence is taken for a daemon that hangs. */
const WAIT_SEC = 30;
const REDRAW_MS = 500;
const RETRY_MS = 2000;

let state;
let effects = [];

const $ = (selector) => document.querySelector(selector);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const time = (at) => new Date(at).toLocaleTimeString('en-GB');
const short = (id) => (id.length > 10 ? `${id.slice(0, 8)}…` : id);
/** A cell: text, or text with a class and a longer title. */
const cell = (text, className = '', title = '') => ({ text: String(text ?? ''), className, title });
const idCell = (id) => cell(short(id ?? ''), 'id', id ?? '');
const number = (text) => cell(text, 'number');

async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout((WAIT_SEC + 10) * 1000) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return await response.json();
}

/** Brings a table's rows to what they should be, touching only what has changed. */
function draw(section, items, keyOf, cellsOf, none = 'none') {
  const body = $(`#${section} tbody`);
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => [keyOf(item), cellsOf(item)]);
  if (wanted.length === 0) wanted.push(['', [cell(none, 'empty')]]);
  wanted.forEach(([key, cells], index) => {
    const row = rows.get(key) ?? document.createElement('tr');
    rows.delete(key);
    row.dataset.key = key;
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    cells.forEach(({ text, className, title }, column) => {
      const td = row.cells[column] ?? row.insertCell();
      if (td.textContent !== text) td.textContent = text;
      if (td.className !== className) td.className = className;
      if (td.title !== title) td.title = title;
      if (key === '') td.colSpan = 100;
    });
  });
  for (const row of rows.values()) row.remove();
}

function drawAll() {
  const { counts, links } = state;
  const count = (n, name) => `${n} ${n === 1 ? name.replace(/ies$/, 'y').replace(/s$/, '') : name}`;
  const named = Object.entries(counts).map(([name, n]) => count(n, name));
  $('#counts').textContent = named.join(' · ');
  for (const name of ['agreements', 'activities', 'allocations']) {
    const [shown, all] = [state[name].length, counts[name]];
    $(`#${name} .count`).textContent = shown < all ? `${shown} of ${all}` : all || '';
  }

  draw(
    'nodes',
    state.nodes,
    ({ name }) => name,
    ({ name, url, running }) => [
      cell(name),
      running ? cell('running', 'good') : cell('stopped', 'bad'),
      cell(url),
    ],
  );
  draw(
    'money',
    state.money,
    ({ node, platform }) => `${node} ${platform}`,
    ({ node, platform, balance, reserved, accepted, paid }) => [
      ...[cell(node), cell(platform)],
      ...[balance, reserved, accepted, paid].map((amount) => cell(rounded(amount), 'number', amount)),
    ],
    'no allocation was made yet',
  );
  draw(
    'faults',
    [
      ...state.faults.map(faultRow),
      ...links.cuts.map(({ node, provider }, i) => ({
        key: `cut ${i}`,
        cells: [cell('network'), cell('cut', 'bad'), cell(place(node, provider)), cell('now'), cell('')],
      })),
    ],
    ({ key }) => key,
    ({ cells }) => cells,
  );
  drawProviders();
  draw(
    'effects',
    effects,
    ({ seq }) => String(seq),
    ({ seq, at, kind, cause, ...fields }) => [
      ...[number(seq), cell(time(at)), cell(kind, tone(kind)), cell(cause)],
      cell(about(fields), 'id', JSON.stringify(fields)),
    ],
    'nothing has happened yet',
  );
  draw(
    'agreements',
    state.agreements,
    ({ id }) => id,
    ({ id, state, node, provider, created }) => [
      ...[idCell(id), cell(state, state === 'Approved' ? 'good' : 'busy')],
      ...[cell(node), cell(provider), cell(time(created))],
    ],
  );
  draw(
    'activities',
    state.activities,
    ({ id }) => id,
    ({ id, state: [now, next], provider, agreementId }) => [
      ...[idCell(id), next ? cell(`${now} → ${next}`, 'busy') : cell(now, 'good')],
      ...[cell(provider), idCell(agreementId)],
    ],
  );
  draw(
    'allocations',
    state.allocations,
    ({ id }) => id,
    ({ id, node, platform, total, spent }) => [
      ...[idCell(id), cell(node), cell(platform)],
      ...[total, spent].map((amount) => cell(rounded(amount), 'number', amount)),
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
      cell(name, '', `${name} ${id}, subnet ${subnet}`),
      trouble ? cell(trouble, 'bad') : agreements > 0 ? cell('serving', 'busy') : cell('free', 'good'),
      number(`${agreements} of ${agreementLimit}`),
      ...[pricing.start, pricing.cpuPerHour, pricing.envPerHour].map(number),
      cell(`${hardware.cpuThreads} threads, ${hardware.memGib} GiB, ${hardware.storageGib} GiB disk`),
    ],
    'no provider has such a name',
  );
}

function faultRow(fault) {
  const { id, on, node, provider, nth, times, probability, matches, hits } = fault;
  const when = [nth > 1 && `from match ${nth} on`, times === 0 ? 'always' : `${times} ×`];
  if (probability < 1) when.push(`at ${probability * 100} %`);
  return {
    key: id,
    cells: [
      ...[cell(on), cell(fault.do, 'bad', JSON.stringify(fault)), cell(place(node, provider))],
      ...[cell(when.filter(Boolean).join(', ')), number(`${hits} of ${matches}`)],
    ],
  };
}

const place = (node, provider) => [node && `node ${node}`, provider].filter(Boolean).join(', ') || 'anywhere';

/** Which things an effect is about; the whole of it is the cell's title. */
function about(fields) {
  return Object.entries(fields)
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return `${name.replace(/Id$/, '')} ${short(text)}`;
    })
    .join(' · ');
}

function tone(kind) {
  if (/^(fault|link-cut|.*-(crashed|frozen|shut-down|rejected|stopped|terminated)$)/.test(kind)) return 'bad';
  return /^paid|-(approved|accepted|settled)$/.test(kind) ? 'good' : '';
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
      const last = effects[0]?.seq ?? Math.max(0, state.seq - EFFECTS_SHOWN);
      // A devnet that began anew counts anew.
      if (last > state.seq) effects = [];
      else if (last < state.seq) remember(await get(`/effects?after=${last}`));
      drawAll();
      const drawnAt = Date.now();
      connection(`live, ${time(state.at)}`);
      await get(`/effects?after=${state.seq}&timeout=${WAIT_SEC}`);
      // What comes after a silence is drawn at once, a flood twice a second.
      await pause(drawnAt + REDRAW_MS - Date.now());
    } catch {
      connection('the devnet does not answer', true);
      await pause(RETRY_MS);
    }
  }
}

function remember(news) {
  effects = [...news.reverse(), ...effects].slice(0, EFFECTS_SHOWN);
}

$('#filter').addEventListener('input', () => state && drawProviders());
void watch();
