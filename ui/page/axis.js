/* The span of time that timeline and cost share, and where its ticks are. It grows by leaps, so that little is redrawn. */
import { clockTime, dayTime, shortTime } from './format.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 5, 10, 30].map((n) => n * DAY),
];
/** A job that runs has room to grow before the span must. */
const ROOM = 1.15;

export class Axis {
  from = 0;
  to = 1;

  /** @returns whether it is another one now */
  cover(from, to, isOver) {
    const { from: before, to: end } = this;
    const length = Math.max(SECOND, to - from);
    if (isOver) this.to = from + length * 1.01;
    else if (from !== this.from || to > this.to || this.to > from + length * 2)
      this.to = from + length * ROOM;
    this.from = from;
    return before !== this.from || end !== this.to;
  }

  get length() {
    return this.to - this.from;
  }

  /** Share of the width, 0 to 1. */
  place(at) {
    return Math.min(1, Math.max(0, (at - this.from) / this.length));
  }

  /** Times and their labels, so that there is room for each. @param width px */
  ticks(width) {
    const most = Math.max(2, Math.floor(width / 90));
    const step =
      STEPS.find((each) => this.length / each <= most) ?? Math.ceil(this.length / most / DAY) * DAY;
    const label = step < MINUTE ? clockTime : this.length > DAY ? dayTime : shortTime;
    const offset = new Date(this.from).getTimezoneOffset() * MINUTE;
    const first = Math.ceil((this.from - offset) / step) * step + offset;
    const ticks = [];
    for (let at = first; at <= this.to - this.length * (70 / width); at += step)
      ticks.push({ at, label: label(at) });
    return ticks;
  }
}
