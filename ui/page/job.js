/* One job. */
import { actionButtons } from './actions.js';
import { Axis } from './axis.js';
import { costCard } from './cost.js';
import { el, say, show } from './dom.js';
import { amount, ago, count, now, plainAmount, ratio, span, time, unitOf } from './format.js';
import { billsCard, eventsCard, providersCard, tasksCard } from './lists.js';
import { phaseBadge, troubleBox } from './pieces.js';
import { follow } from './stream.js';
import { timelineCard } from './timeline.js';

/** What lasts grows, so often. */
const GROW_MS = 1000;

export function showJob(main, jobId, about, link) {
  document.title = `${jobId} · Golem jobs`;
  const axis = new Axis();
  const trouble = troubleBox();
  const waiting = troubleBox('alert warn');
  const failure = troubleBox('alert bad');
  const kept = troubleBox('alert faint');
  const actions = actionButtons(jobId);
  const badge = el('span', {});
  const since = el('span', { class: 'faint' });
  const figures = el('div', { class: 'figures' });
  const timeline = timelineCard(axis);
  const cost = costCard(axis);
  const tasks = tasksCard(jobId);
  const providers = providersCard(jobId, about);
  const bills = billsCard(jobId);
  const events = eventsCard(jobId);
  const cards = [timeline, cost, tasks, providers, bills, events];
  const content = el('div', { class: 'job', hidden: true }, figures, ...cards.map(({ element }) => element));
  const loading = el(
    'div',
    { class: 'skeleton', 'aria-hidden': 'true' },
    [1, 2, 3, 4].map(() => el('div')),
  );
  main.replaceChildren(
    el('p', { class: 'up' }, el('a', { href: '/' }, '← All jobs')),
    el(
      'div',
      { class: 'title' },
      el('h1', { class: 'name' }, jobId),
      ...[badge, since, temporalLinks(about, jobId), actions.element],
    ),
    ...[trouble.element, waiting.element, failure.element, kept.element, loading, content],
    ...actions.dialogs,
  );

  let summary;
  let span_ = {};
  let isDue = false;

  /** Parts come in a bunch: they are drawn together. */
  function drawSoon() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  }

  function draw() {
    if (!summary) return;
    const { progress, isOver } = summary;
    const isShown = Boolean(progress) || span_.from !== undefined || summary.isKnown;
    show(content, isShown);
    show(loading, !isShown && !trouble.element.textContent.trim());
    drawSummary();
    cover();
    timeline.isOver = cost.isOver = isOver;
    timeline.draw();
    cost.draw();
  }

  function drawSummary() {
    const { progress, settlement, result, failure: failed, isRunning, isOver, missing } = summary;
    const phase = progress?.phase ?? (failed ? failed.type.toLowerCase() : result?.state);
    badge.replaceChildren(...(phase ? [phaseBadge(phase)] : []));
    say(since, progress ? `begun ${ago(progress.startedAt)}` : '');
    since.title = progress ? time(progress.startedAt) : '';
    actions.show(isRunning === true);
    waiting.show(progress?.waitingFor && { message: `Waits for ${progress.waitingFor}.`, action: '' });
    const last = failed
      ? { type: failed.type, message: failed.reason, action: failed.action }
      : (result?.failure ?? progress?.lastFailure);
    failure.show(last && { message: last.type, action: `${last.message} ${last.action ?? ''}` });
    kept.show(
      missing > 0 && {
        message: `${count(missing, 'earlier event')} not shown:`,
        action: 'workflows keep only their newest, so the beginning of what is below may be missing.',
      },
    );
    if (!progress) {
      figures.replaceChildren();
      return;
    }
    const { tasks: t, money, cost: c, spent, alive } = progress;
    const unit = unitOf(money.platform);
    const lasts = c.budgetLastsSec === undefined ? '' : `, enough for ${span(c.budgetLastsSec * 1000)}`;
    const figure = (title, value, more, bar, tone) =>
      el(
        'div',
        { class: 'figure' },
        el('h2', {}, title),
        el('p', { class: `value ${tone ?? ''}` }, value),
        bar,
        el('p', { class: 'faint' }, more),
      );
    const bar = (part, all, label, tone) =>
      el('progress', { max: 1, value: ratio(part, all), 'aria-label': label, class: tone });
    const details = [
      t.running > 0 && `${t.running} running`,
      t.waiting > 0 && `${t.waiting.toLocaleString('en')} waiting`,
      t.failed > 0 && `${t.failed} failed`,
    ];
    const beside = details.filter(Boolean).join(', ');
    const paid =
      settlement === 'settled'
        ? 'all paid'
        : settlement === 'unpaid'
          ? 'not all was paid'
          : `${plainAmount(money.paid)} paid`;
    const cards = [
      t.total > 0
        ? figure(
            'Tasks',
            [`${t.done.toLocaleString('en')}`, el('small', {}, ` of ${t.total.toLocaleString('en')}`)],
            beside || 'none open',
            bar(t.done, t.total, 'tasks that are done', t.failed > 0 ? 'bad' : undefined),
          )
        : figure('Tasks', 'interactive', 'scripts come from outside'),
      figure(
        'Cost',
        [amount(spent), el('small', {}, ` of ${plainAmount(money.budget)} ${unit}`)],
        `${plainAmount(money.accepted)} accepted, ${paid}`,
        bar(spent, money.budget, 'share of the budget', money.low ? 'bad' : undefined),
      ),
      figure('Providers', String(alive), alive > 0 ? 'rented now' : 'none is rented now'),
      figure(
        'Pace',
        isOver || alive === 0 ? '–' : [plainAmount(c.perHour), el('small', {}, ` ${unit} an hour`)],
        isOver
          ? 'nothing costs any more'
          : alive === 0
            ? 'nothing runs'
            : `${plainAmount(c.accrued)} accrued${lasts}`,
      ),
    ];
    figures.replaceChildren(...cards);
  }

  function cover() {
    const { progress, isOver } = summary;
    const begun = progress && Date.parse(progress.startedAt);
    const from = Math.min(...[span_.from, begun].filter((at) => at !== undefined));
    const to = isOver ? span_.to : now();
    if (!Number.isFinite(from) || to === undefined) return;
    if (axis.cover(from, Math.max(from, to), isOver)) timeline.rule();
  }

  const TAKEN = {
    trouble(value) {
      trouble.show(value);
      show(loading, !value && content.hidden);
    },
    summary(value) {
      summary = value;
      if (value.progress) cost.setMoney(value.progress.money, value.isOver);
      tasks.setOver(value.isRunning === false);
    },
    timeline(value) {
      span_ = value;
      timeline.setAbout(value);
    },
    cost: (value) => cost.set(value),
    tasks: (value) => tasks.set(value),
    providers: (value) => providers.set(value),
    bills: (value) => bills.set(value),
    events: (value) => events.set(value),
  };
  follow(
    `/api/job?id=${encodeURIComponent(jobId)}`,
    (part, value) => {
      const lane = /^lane (\d+)$/.exec(part);
      if (lane) timeline.setLane(Number(lane[1]), value);
      else TAKEN[part]?.(value);
      drawSoon();
    },
    link,
  );
  setInterval(() => {
    if (!summary || summary.isOver || document.hidden) return;
    cover();
    timeline.place();
    cost.draw();
    if (summary.progress) say(since, `begun ${ago(summary.progress.startedAt)}`);
  }, GROW_MS);
  new ResizeObserver(() => timeline.rule()).observe(timeline.element);
}

function temporalLinks({ temporalUi, namespace }, jobId) {
  if (!temporalUi) return undefined;
  const to = (id) =>
    `${temporalUi}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(id)}`;
  const link = (text, id) => el('a', { href: to(id), rel: 'noreferrer' }, text);
  return el(
    'span',
    { class: 'faint' },
    'in Temporal: ',
    link('job', jobId),
    ' · ',
    link('settlement', `${jobId}/settlement`),
  );
}
