/* What the job has cost over time against its budget, on the span of time that the timeline has. */
import { el, renew, say, svg } from './dom.js';
import { now, plainAmount, time, unitOf } from './format.js';
import { card } from './pieces.js';

/** A budget of more than so many times the cost would press the curves to the ground: then it is told, not drawn. */
const BUDGET_DRAWN = 5;
const HEIGHT = 100;

export function costCard(axis) {
  const chart = svg('svg', { class: 'cost', preserveAspectRatio: 'none', role: 'img' });
  const paths = ['area', 'reckoned', 'accepted', 'paid'].map((name) => {
    const path = svg('path', { class: name, 'vector-effect': 'non-scaling-stroke' });
    chart.append(path);
    return [name, path];
  });
  const budgetLine = svg('line', { class: 'budget', 'vector-effect': 'non-scaling-stroke' });
  chart.append(budgetLine);
  const scale = el('div', { class: 'scale', 'aria-hidden': 'true' });
  const cursor = el('div', { class: 'cursor', hidden: true, 'aria-hidden': 'true' });
  const plot = el('div', { class: 'plot' }, chart, scale, cursor);
  const said = el('p', { class: 'note' });
  const legend = el(
    'p',
    { class: 'legend' },
    el('span', {}, el('i', { class: 'line accepted' }), 'accepted'),
    el('span', {}, el('i', { class: 'line paid' }), 'paid'),
    el(
      'span',
      {},
      el('i', { class: 'line reckoned' }),
      'reckoned with what has accrued, since this page looks on',
    ),
    el('span', {}, el('i', { class: 'line budget' }), 'budget'),
  );
  const { element } = card('Cost', legend, plot, said);

  let data = { steps: [], samples: [] };
  let money;
  let isOver = false;

  function draw() {
    if (!money) return;
    const { steps, samples } = data;
    const unit = unitOf(money.platform);
    const budget = Number(money.budget);
    const most = Math.max(
      ...[money.accepted, money.paid, ...samples.map(({ amount }) => amount)].map(Number),
      0,
    );
    const isBudgetDrawn = most * BUDGET_DRAWN >= budget;
    const top = (isBudgetDrawn ? Math.max(budget, most) : most || budget) * 1.1;
    const end = isOver ? axis.to : Math.min(axis.to, now());
    const x = (at) => at - axis.from;
    const y = (amount) => HEIGHT - (HEIGHT * Number(amount)) / top;
    const stairs = (name) => {
      let path = `M${x(axis.from)} ${HEIGHT}`;
      for (const step of steps) path += `H${x(step.at)}V${y(step[name])}`;
      return `${path}H${x(end)}`;
    };
    const line = samples.map(({ at, amount }, i) => `${i === 0 ? 'M' : 'L'}${x(at)} ${y(amount)}`).join('');
    const drawn = { accepted: stairs('accepted'), paid: stairs('paid'), reckoned: line };
    drawn.area = `${drawn.accepted}V${HEIGHT}Z`;
    for (const [name, path] of paths) path.setAttribute('d', drawn[name]);
    chart.setAttribute('viewBox', `0 0 ${axis.length} ${HEIGHT}`);
    for (const [name, value] of Object.entries({ x1: 0, x2: axis.length, y1: y(budget), y2: y(budget) }))
      budgetLine.setAttribute(name, isBudgetDrawn ? value : -10);
    const marks = linesOf(top).map((amount) => ({ amount }));
    renew(
      scale,
      marks,
      ({ amount }) => amount,
      ({ amount }) => el('span', {}, amount),
    );
    for (const mark of scale.children) mark.style.top = `${y(mark.dataset.key)}%`;
    const beyond = isBudgetDrawn
      ? ''
      : ` The budget of ${plainAmount(money.budget)} ${unit} is far above what is drawn.`;
    const now_ = `accepted ${plainAmount(money.accepted)}, paid ${plainAmount(money.paid)}`;
    say(said, `${now_[0].toUpperCase()}${now_.slice(1)} of ${plainAmount(money.budget)} ${unit}.${beyond}`);
    chart.setAttribute('aria-label', said.textContent);
  }

  plot.addEventListener('pointermove', (event) => {
    const { left, width } = plot.getBoundingClientRect();
    const at = axis.from + ((event.clientX - left) / width) * axis.length;
    const step = data.steps.findLast((each) => each.at <= at);
    cursor.hidden = !step;
    if (!step) return;
    cursor.style.left = `${axis.place(at) * 100}%`;
    cursor.classList.toggle('left', axis.place(at) > 0.6);
    say(cursor, `${time(at)}  accepted ${plainAmount(step.accepted)}, paid ${plainAmount(step.paid)}`);
  });
  plot.addEventListener('pointerleave', () => (cursor.hidden = true));

  return {
    element,
    set(value) {
      data = value;
    },
    setMoney(value, over) {
      money = value;
      isOver = over;
    },
    draw,
  };
}

/** Two or three round amounts below a top, as text. */
function linesOf(top) {
  if (!(top > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(top));
  const step = [0.2, 0.5, 1].map((n) => n * power).find((each) => top / each <= 4) ?? 2 * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const lines = [];
  for (let n = 1; n * step < top; n++) lines.push((n * step).toFixed(Math.min(20, digits)));
  return lines;
}
