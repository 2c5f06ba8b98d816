/* The timeline: a lane for each provider, what went on in it as bars on the shared span of time. */
import { el, renew, say, show, svg } from './dom.js';
import { clockTime, count, now, span, time } from './format.js';
import { card } from './pieces.js';

/** Lanes drawn before more are asked for. */
const LANES = 12;
/** Lines of an opened lane: the newest. */
const LINES = 40;
const KINDS = {
  negotiating: 'negotiation',
  signing: 'signing',
  signed: 'signed, no VM yet',
  deploying: 'deploy',
  script: 'script',
  scripts: 'scripts',
  idle: 'idle',
  settling: 'settlement',
  detached: 'detached',
};
const LEGEND = ['negotiating', 'deploying', 'script', 'idle', 'settling'];
/** Places of a bar in a row of height 20. */
const SHAPES = {
  negotiating: [7, 6],
  signing: [5, 10],
  signed: [9, 2],
  deploying: [3, 14],
  script: [1, 18],
  scripts: [1, 18],
  idle: [9, 2],
  settling: [8, 4],
  detached: [8, 4],
};

export function timelineCard(axis) {
  const ruler = el('div', { class: 'ruler', 'aria-hidden': 'true' });
  const lanes = el('div', { class: 'lanes' });
  const note = el('p', { class: 'note' });
  const more = el('button', { hidden: true }, 'Show more providers');
  const legend = el(
    'p',
    { class: 'legend' },
    LEGEND.map((kind) => el('span', {}, swatch(kind), KINDS[kind])),
    el('span', {}, swatch('script', true), 'failed'),
    el('span', {}, el('i', { class: 'tick-mark' }), 'debit note'),
  );
  const { element, head, counted } = card(
    'Timeline',
    legend,
    lanes,
    ruler,
    note,
    el('p', { class: 'more' }, more),
  );
  head.append(el('small', { class: 'hint' }, 'open a lane for its times'));

  const all = [];
  let about = { lanes: 0, more: 0 };
  let most = LANES;
  let isOver = false;
  more.addEventListener('click', () => {
    most += 4 * LANES;
    draw();
  });

  function draw() {
    const drawn = all.slice(0, Math.min(most, about.lanes)).filter(Boolean);
    renew(
      lanes,
      drawn,
      ({ provider }) => provider.id,
      (lane, before) => laneElement(lane, before, axis),
    );
    say(counted, about.lanes === 0 ? '' : count(about.lanes + about.more, 'provider'));
    const beyond =
      about.more > 0 ? `${count(about.more, 'provider')} beyond the first ${about.lanes} are not drawn.` : '';
    say(note, about.lanes === 0 ? 'Nobody is hired yet.' : beyond);
    show(more, about.lanes > most);
    place();
  }

  /** Brings bars to the present span of time, and those that last to now. */
  function place() {
    const until = isOver ? axis.to : now();
    for (const chart of lanes.querySelectorAll('svg.row')) {
      const box = `0 0 ${axis.length} 20`;
      if (chart.getAttribute('viewBox') !== box) chart.setAttribute('viewBox', box);
      if (chart.placedFrom !== axis.from || chart.placedLength !== axis.length) {
        for (const bar of chart.children) placeBar(bar, until);
        chart.placedFrom = axis.from;
        chart.placedLength = axis.length;
      } else for (const bar of chart.querySelectorAll('.open')) placeBar(bar, until);
    }
    for (const mark of lanes.querySelectorAll('.mark')) mark.style.left = `${axis.place(mark.at) * 100}%`;
  }

  function placeBar(bar, until) {
    const { from, to = until } = bar.segment;
    // One that failed is seen however short it was.
    const least = axis.length / (bar.segment.bad ? 200 : 1000);
    bar.setAttribute('x', from - axis.from);
    bar.setAttribute('width', Math.max(least, to - from));
  }

  return {
    element,
    setLane(index, lane) {
      all[index] = lane;
    },
    setAbout(value) {
      about = value;
    },
    set isOver(value) {
      isOver = value;
    },
    draw,
    place,
    /** The ticks are drawn anew where the span or the width is another one. */
    rule() {
      const { width } = ruler.getBoundingClientRect();
      renew(
        ruler,
        axis.ticks(width),
        ({ at }) => at,
        ({ label }) => el('span', {}, label),
      );
      [...ruler.children].forEach(
        (tick) => (tick.style.left = `${axis.place(Number(tick.dataset.key)) * 100}%`),
      );
    },
  };
}

function swatch(kind, isBad) {
  const [y, height] = SHAPES[kind];
  return svg(
    'svg',
    { class: 'swatch', viewBox: '0 0 20 20', 'aria-hidden': 'true' },
    svg('rect', { class: `${kind}${isBad ? ' bad' : ''}`, x: 0, y, width: 20, height, rx: 1 }),
  );
}

function laneElement(lane, before) {
  const { provider, agreements, rows, marks, isCut, undrawn } = lane;
  const tracks = rows.map((segments) => {
    const bars = segments.map((segment) => {
      const [y, height] = SHAPES[segment.kind];
      const state = `${segment.bad ? ' bad' : ''}${segment.failed ? ' bad' : ''}${segment.to === undefined ? ' open' : ''}`;
      const bar = svg('rect', { class: segment.kind + state, y, height }, svg('title', {}, lineOf(segment)));
      bar.segment = segment;
      return bar;
    });
    return svg('svg', { class: 'row', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, bars);
  });
  const ticks = marks.map((each) => {
    const mark = el('i', {
      class: `mark ${each.kind === 'note' ? 'accepted' : 'refused'}`,
      title: `${time(each.at)} ${each.text}`,
    });
    mark.at = each.at;
    return mark;
  });
  const newest = rows.flat().sort((a, b) => b.from - a.from);
  const doing = newest.find(({ to }) => to === undefined);
  const label = el(
    'span',
    { class: 'lane-name' },
    el('b', { title: provider.id }, provider.name),
    el('small', {}, doing ? doingText(doing) : agreements > 1 ? count(agreements, 'agreement') : 'over'),
  );
  const list = el(
    'ol',
    { class: 'lane-times' },
    newest
      .slice(0, LINES)
      .map((segment) => el('li', { class: segment.bad ? 'bad' : undefined }, lineOf(segment))),
  );
  const cut = [
    isCut && 'Its first events are not kept any more.',
    undrawn && `${count(undrawn, 'older piece')} are not drawn.`,
    newest.length > LINES && `The newest ${LINES} of ${newest.length}.`,
  ];
  const notes = cut.filter(Boolean).join(' ');
  return el(
    'details',
    { class: 'lane', open: before?.open },
    el('summary', {}, label, el('span', { class: 'track' }, tracks, ticks)),
    notes && el('p', { class: 'note' }, notes),
    list,
  );
}

function doingText({ kind, task }) {
  return task ?? KINDS[kind];
}

function lineOf({ kind, from, to, task, bad, count: scripts, failed }) {
  const what = kind === 'scripts' ? `${scripts} scripts${failed ? `, ${failed} failed` : ''}` : KINDS[kind];
  const lasted = to === undefined ? 'still' : span(to - from);
  return `${clockTime(from)}  ${what}${task ? ` ${task}` : ''}, ${lasted}${bad ? `: ${bad}` : ''}`;
}
