/* The list of jobs. */
import { el, renew, row, say, show, table } from './dom.js';
import { ago, amount, count, plainAmount, ratio, time, unitOf } from './format.js';
import { phaseBadge, troubleBox } from './pieces.js';
import { follow, get } from './stream.js';

export function showJobs(main, link) {
  document.title = 'Golem jobs';
  const trouble = troubleBox();
  const summary = el('p', { class: 'faint' }, 'loading…');
  const jobs = table(
    ['job', 'phase', 'tasks', ['providers', 'number'], ['cost', 'number'], 'payments', 'begun'],
    'Jobs',
  );
  const more = el('button', { hidden: true }, 'Show more');
  const card = el('section', { class: 'card' }, jobs.element, el('p', { class: 'more' }, more));
  const empty = el(
    'section',
    { class: 'empty', hidden: true },
    el('h2', {}, 'No jobs yet'),
    el('p', {}, 'A job that is started appears here within seconds:'),
    el('pre', {}, 'golem-temporal worker\ngolem-temporal start job.json'),
  );
  const loading = el(
    'div',
    { class: 'skeleton', 'aria-hidden': 'true' },
    [1, 2, 3].map(() => el('div')),
  );
  show(card, false);
  main.replaceChildren(
    el('div', { class: 'title' }, el('h1', {}, 'Jobs'), summary),
    ...[trouble.element, loading, card, empty],
  );

  let newest = { jobs: [] };
  let older = [];
  let cursor;

  function draw() {
    const seen = new Set(newest.jobs.map(keyOf));
    const all = [...newest.jobs, ...older.filter((job) => !seen.has(keyOf(job)))];
    show(loading, false);
    show(empty, all.length === 0);
    show(card, all.length > 0);
    const running = all.filter(({ status }) => status === 'running').length;
    say(
      summary,
      all.length === 0 ? '' : `${count(running, 'job runs', 'jobs run')}, ${all.length - running} over`,
    );
    renew(jobs.body, all, keyOf, (job) => jobRow(jobs.labels, job));
    for (const cell of jobs.body.querySelectorAll('[data-at]')) say(cell, ago(cell.dataset.at));
    show(more, (older.length > 0 ? cursor : newest.cursor) !== undefined);
  }

  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      const page = await get('/api/jobs/more', { after: older.length > 0 ? cursor : newest.cursor });
      older = [...older, ...page.jobs];
      cursor = page.cursor;
      draw();
    } catch (error) {
      trouble.show({ message: error.message });
    }
    more.disabled = false;
  });

  follow(
    '/api/jobs',
    (part, value) => {
      if (part === 'trouble') {
        trouble.show(value);
        if (value && newest.jobs.length === 0) {
          show(loading, false);
          say(summary, '');
        }
      } else if (part === 'jobs') {
        newest = value;
        draw();
      }
    },
    link,
  );
  setInterval(() => newest.jobs.length > 0 && draw(), 10_000);
}

const keyOf = ({ jobId, runId }) => `${jobId} ${runId}`;

function jobRow(labels, job) {
  const { jobId, tasks, rentals, money, spent, settlement, startedAt, failure, status } = job;
  const name = el('a', { href: `/?job=${encodeURIComponent(jobId)}`, class: 'name' }, jobId);
  const phase = [
    phaseBadge(job.phase ?? status),
    failure && status !== 'completed' ? why(failure) : undefined,
  ];
  const cost = money && [
    amount(spent),
    el('small', {}, ` of ${plainAmount(money.budget)} ${unitOf(money.platform)}`),
  ];
  return row(labels, [
    [name],
    [el('div', { class: 'phase' }, ...phase)],
    [tasks ? tasksCell(tasks) : status === 'running' ? faint('no worker answers') : '', 'tasks'],
    [status === 'running' ? String(rentals ?? '') : '', 'number'],
    [cost ? el('span', {}, ...cost) : '', 'number', spent && `${spent} GLM`],
    [settlement ? payments(settlement) : ''],
    [
      el('time', { datetime: startedAt, 'data-at': startedAt, title: time(startedAt) }, ago(startedAt)),
      'nowrap',
    ],
  ]);
}

const faint = (text) => el('small', {}, text);
const why = ({ type, message }) => el('small', { class: 'why', title: message }, type);

function tasksCell({ total, done, failed, running }) {
  if (total === 0) return faint('interactive');
  const bar = el('progress', {
    max: 1,
    value: ratio(done, total),
    'aria-label': 'tasks that are done',
    class: failed > 0 ? 'bad' : undefined,
  });
  const rest = [running > 0 && `${running} running`, failed > 0 && `${failed} failed`]
    .filter(Boolean)
    .join(', ');
  return el(
    'span',
    { class: 'tasks-cell' },
    bar,
    ` ${done} of ${total.toLocaleString('en')}`,
    rest && faint(` ${rest}`),
  );
}

const PAYMENTS = {
  settled: ['settled', 'good'],
  unpaid: ['unpaid', 'bad'],
  failed: ['failed', 'bad'],
  detached: ['detached', 'busy'],
};

function payments(phase) {
  const [text, tone] = PAYMENTS[phase] ?? ['open', 'faint'];
  return el('span', { class: tone }, text);
}
