/* The lists of a job: tasks, providers, bills, events. Each shows its beginning, and more where it is asked for. */
import { el, id, renew, row, say, show, table } from './dom.js';
import { amount, clockTime, count, plainAmount, span, time } from './format.js';
import { card, moreButton } from './pieces.js';
import { taskOutput } from './output.js';
import { get } from './stream.js';

/** A list whose first rows are told and whose others are asked for. `keyOf` and `make` as of `renew`. */
function growing(body, path, jobId, keyOf, make) {
  let told = [];
  let all = 0;
  let asked = [];
  const more = moreButton(async () => {
    asked = [...asked, ...(await get(path, { id: jobId, offset: told.length + asked.length }))];
    draw();
  });

  function draw() {
    const seen = new Set();
    const items = [...told, ...asked].filter((item) => !seen.has(keyOf(item)) && seen.add(keyOf(item)));
    renew(body, items, keyOf, make);
    show(more.button, items.length < all);
  }

  return {
    more: more.element,
    set(items, count_) {
      told = items;
      all = count_;
      draw();
    },
  };
}

const TASK_TONES = { done: 'good', failed: 'bad', running: 'busy', cancelled: 'faint' };

export function tasksCard(jobId) {
  const rows = table(
    ['task', 'state', 'provider', ['attempts', 'number'], ['time', 'number'], 'begun'],
    'Tasks',
  );
  const list = growing(rows.body, '/api/job/tasks', jobId, ({ name }) => name, taskRow);
  /** By the names of tasks. They outlive their rows, which are made anew when a task changes. */
  const outputs = new Map();
  const note = el('p', { class: 'note' });
  const { element, counted } = card('Tasks', rows.element, list.more, note);

  function taskRow(task) {
    const { name, state, attempts, provider, startedAt, finishedAt, failure } = task;
    const lasted = startedAt && finishedAt ? span(Date.parse(finishedAt) - Date.parse(startedAt)) : '';
    if (!outputs.has(name)) outputs.set(name, taskOutput(jobId, name));
    outputs.get(name).setOver(state !== 'running');
    const about = [
      el('span', { class: 'name' }, name),
      failure && el('small', { class: 'bad' }, failure),
      outputs.get(name).element,
    ];
    return row(rows.labels, [
      [el('div', { class: 'task' }, ...about)],
      [el('span', { class: TASK_TONES[state] }, state)],
      [provider?.name ?? '', 'name', provider?.id],
      [String(attempts), 'number'],
      [lasted, 'number'],
      [startedAt ? time(startedAt) : '', 'nowrap'],
    ]);
  }

  return {
    element,
    setOver: (isOver) => (element.dataset.over = String(isOver)),
    set({ from, counts, shown, all, parts }) {
      list.set(shown, all);
      for (const { ask } of outputs.values()) void ask();
      show(rows.element, all > 0);
      say(
        counted,
        counts ? `${counts.done.toLocaleString('en')} of ${counts.total.toLocaleString('en')} done` : '',
      );
      const unseen = counts ? counts.total - all : 0;
      const inParts =
        parts === undefined ? '' : ` Results were written in ${count(parts, 'part')} to resultsTo.`;
      const notes = {
        result: '',
        events:
          all === 0
            ? 'No script of a task was sent yet.'
            : 'From the scripts that were sent so far: one that failed may be tried again.',
      };
      const rest =
        from === 'events' && unseen > 0
          ? ` ${count(unseen, 'task')} beyond these are known by number only.`
          : '';
      say(note, `${notes[from]}${rest}${inParts}`.trim());
    },
  };
}

export function providersCard(jobId, about) {
  const body = el('div', { class: 'providers' });
  const list = growing(body, '/api/job/providers', jobId, ({ provider }) => provider.id, providerElement);
  const note = el('p', { class: 'note' });
  const { element, counted } = card('Providers', body, list.more, note);

  function providerElement(view, before) {
    const { provider, hardware, prices, hires, hireCount, offers, rejected, avoided, accepted, paid } = view;
    const { cpuBrand, cpuCores, cpuThreads, memGib, storageGib, runtime } = hardware;
    const machine = [
      cpuBrand,
      cpuThreads !== undefined && `${count(cpuThreads, 'thread')} on ${count(cpuCores ?? 1, 'core')}`,
      memGib !== undefined && `${memGib} GiB memory`,
      storageGib !== undefined && `${storageGib} GiB disk`,
      runtime,
    ].filter(Boolean);
    const facts = [
      ['hardware', machine.length > 0 ? machine.join(' · ') : 'its offer is not kept any more'],
      [
        'price',
        prices
          ? priceText(prices)
          : hireCount > 0
            ? 'not kept any more'
            : 'told only of those that are hired',
      ],
      ['accepted', hireCount > 0 ? `${plainAmount(accepted)} GLM, of which ${plainAmount(paid)} paid` : ''],
      ['refused us', rejected],
      ['avoided', avoided],
    ];
    const name = el(
      'span',
      { class: 'provider-name' },
      el('b', {}, provider.name),
      ' ',
      el('small', {}, stateOf(view)),
    );
    return el(
      'details',
      { class: 'provider', open: before?.open },
      el(
        'summary',
        {},
        name,
        el('small', { class: 'machine' }, machineShort(hardware)),
        el('span', { class: 'number', title: accepted }, hireCount > 0 ? amount(accepted) : ''),
      ),
      el(
        'dl',
        {},
        el('dt', {}, 'id'),
        el('dd', {}, id(provider.id)),
        facts
          .filter(([, text]) => text)
          .map(([title, text]) => [
            el('dt', {}, title),
            el('dd', { class: title === 'avoided' ? 'bad' : undefined }, text),
          ])
          .flat(),
      ),
      hires.length > 0 && historyOf(hires, hireCount, about),
      hireCount === 0 && el('p', { class: 'note' }, `Not hired; ${count(offers, 'offer')} came from it.`),
    );
  }

  return {
    element,
    set({ shown, all, hired, listed }) {
      list.set(shown, listed);
      say(counted, all === 0 ? '' : `${hired} hired of ${all} that offered`);
      const beyond = all > listed ? `${count(all - listed, 'provider')} beyond these are not listed.` : '';
      say(note, all === 0 ? 'No offer has come yet.' : beyond);
    },
  };
}

const priceText = ({ start, cpuPerHour, envPerHour }) =>
  `${plainAmount(start)} for the start, ${plainAmount(cpuPerHour)} an hour of a CPU thread, ${plainAmount(envPerHour)} an hour of the VM (GLM)`;

function machineShort({ cpuThreads, memGib }) {
  if (cpuThreads === undefined) return '';
  return `${count(cpuThreads, 'thread')}${memGib === undefined ? '' : `, ${memGib} GiB`}`;
}

function stateOf({ hires, hireCount, avoided }) {
  if (avoided) return 'avoided';
  if (hireCount === 0) return 'not hired';
  const alive = hires.find(({ until }) => until === undefined);
  if (alive) return alive.doing ?? alive.state;
  return hireCount > 1 ? count(hireCount, 'agreement') : 'over';
}

function historyOf(hires, hireCount, { temporalUi, namespace }) {
  const rows = table(
    [
      'agreement',
      'since',
      ['lasted', 'number'],
      ['scripts', 'number'],
      ['accepted', 'number'],
      ['paid', 'number'],
      'end',
    ],
    'Agreements with it',
  );
  const link = (workflowId, text) =>
    temporalUi && workflowId
      ? el(
          'a',
          {
            href: `${temporalUi}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}`,
            rel: 'noreferrer',
          },
          text,
        )
      : text;
  for (const { agreementId, workflowId, since, until, scripts, accepted, paid, state, reason, doing } of [
    ...hires,
  ].reverse()) {
    const failed = scripts.failed > 0 ? el('span', { class: 'bad' }, ` ${scripts.failed} failed`) : '';
    rows.body.append(
      row(rows.labels, [
        [
          [
            id(agreementId),
            ' ',
            workflowId ? el('small', {}, link(workflowId, `rental ${workflowId.split('/').at(-1)}`)) : '',
          ],
        ],
        [time(since), 'nowrap'],
        [until ? span(Date.parse(until) - Date.parse(since)) : 'still', 'number'],
        [el('span', {}, String(scripts.done), failed), 'number'],
        [amount(accepted), 'number', accepted],
        [amount(paid), 'number', paid],
        [reason ?? (until ? state : (doing ?? state)), 'wide'],
      ]),
    );
  }
  const older =
    hireCount > hires.length
      ? el('p', { class: 'note' }, `The newest ${hires.length} of ${hireCount} agreements.`)
      : undefined;
  return el('div', { class: 'history' }, rows.element, older);
}

const BILL_TONES = { paid: 'good', refused: 'bad', accepted: 'busy', received: 'faint' };

export function billsCard(jobId) {
  const rows = table(
    ['time', 'bill', 'provider', ['GLM', 'number'], 'state', 'id'],
    'Debit notes and invoices',
  );
  const list = growing(
    rows.body,
    '/api/job/bills',
    jobId,
    ({ id: key }) => key,
    (bill) => {
      const { receivedAt, kind, provider, state, reason, paidAt } = bill;
      const about = [
        el('span', { class: BILL_TONES[state] }, state),
        paidAt && el('small', {}, ` ${clockTime(paidAt)}`),
        reason && el('small', { class: 'bad' }, ` ${reason}`),
      ];
      return row(rows.labels, [
        [time(receivedAt), 'nowrap'],
        [kind, 'nowrap'],
        [provider?.name ?? '', 'name', provider?.id],
        [amount(bill.amount), 'number', bill.amount],
        [el('span', {}, ...about.filter(Boolean))],
        [id(bill.id)],
      ]);
    },
  );
  const note = el('p', { class: 'note' }, '');
  const { element, counted } = card('Debit notes and payments', rows.element, list.more, note);
  return {
    element,
    set({ shown, all }) {
      list.set(shown, all);
      show(rows.element, all > 0);
      say(counted, all === 0 ? '' : count(all, 'bill'));
      say(
        note,
        all === 0
          ? 'No provider has sent a bill yet.'
          : 'A debit note says what its VM has cost in all until then; the invoice at the end takes its place.',
      );
    },
  };
}

export function eventsCard(jobId) {
  const list = el('ol', { class: 'events' });
  const find = el('input', {
    type: 'search',
    placeholder: 'find in events',
    'aria-label': 'show only events with this text',
  });
  const note = el('p', { class: 'note' });
  let asked = [];
  let told = { events: [], more: false, count: 0, missing: 0 };
  let found;
  const more = moreButton(async () => {
    const last = (found?.events ?? [...told.events, ...asked]).at(-1);
    const page = await ask({ before: last?.place });
    if (found) found = { events: [...found.events, ...page.events], more: page.more };
    else {
      asked = [...asked, ...page.events];
      told.more = page.more;
    }
    draw();
  });
  const { element, head, counted } = card('Event log', list, more.element, note);
  head.append(find);

  const ask = (query) => {
    const text = find.value.trim();
    const given = Object.entries({ id: jobId, find: text, ...query }).filter(
      ([, value]) => value !== undefined && value !== '',
    );
    return get('/api/job/events', Object.fromEntries(given));
  };
  let due;
  const search = () => {
    clearTimeout(due);
    due = setTimeout(async () => {
      if (find.value.trim() === '') found = undefined;
      else found = await ask({}).catch(() => found);
      draw();
    }, 200);
  };
  find.addEventListener('input', search);

  function draw() {
    const seen = new Set();
    const events = (found?.events ?? [...told.events, ...asked]).filter(
      ({ place }) => !seen.has(place) && seen.add(place),
    );
    renew(list, events, ({ place }) => place, eventElement);
    show(
      more.button,
      found
        ? found.more
        : told.more &&
            (asked.length === 0 || asked.at(-1).place > told.count - told.events.length - asked.length),
    );
    say(counted, told.count === 0 ? '' : count(told.count, 'event'));
    const missing = told.missing > 0 ? `${count(told.missing, 'earlier event')} not kept any more.` : '';
    say(
      note,
      told.count === 0
        ? 'Nothing has happened yet.'
        : found?.events.length === 0
          ? 'No event has that text in it.'
          : missing,
    );
  }

  return {
    element,
    set(value) {
      const hasNews = value.count !== told.count;
      // Between what is told now and what was asked for before there must be no gap.
      if (asked.length > 0) {
        const known = [...told.events, ...asked];
        const oldest = value.events.at(-1)?.place ?? 0;
        asked = known.filter(({ place }) => place < oldest);
        told = { ...value, more: asked.length > 0 ? told.more : value.more };
        if (asked.length > 0 && asked[0].place < oldest - 1) asked = [];
      } else told = value;
      if (found && hasNews) search();
      draw();
    },
  };
}

const EVENT_BAD =
  /^(ProposalRejected|AgreementRejected|InvoiceRejected|PaymentFailed|ControlRefused|ProviderAvoided)$/;

function eventElement({ name, at, workflowId, details }) {
  const isBad = EVENT_BAD.test(name) || (name === 'ScriptExecuted' && details.success === false);
  const provider = details.provider?.name;
  const facts = Object.entries(details).filter(
    ([key, value]) =>
      key !== 'amountPrecise' && key !== 'provider' && (typeof value !== 'object' || value === null),
  );
  const about = facts.flatMap(([key, value]) => [
    el(
      'span',
      { class: 'fact' },
      `${key} `,
      isId(key, value) ? id(String(value)) : el('b', {}, String(value)),
    ),
  ]);
  return el(
    'li',
    {},
    el('time', { datetime: at, title: `${at} · ${workflowId}` }, clockTime(at)),
    el('span', { class: isBad ? 'event bad' : 'event' }, name),
    el(
      'span',
      { class: 'about' },
      provider && el('span', { class: 'fact' }, el('b', {}, provider)),
      ...about,
    ),
  );
}

const isId = (key, value) => /id$/i.test(key) && String(value).length > 20;
