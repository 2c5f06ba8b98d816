/**
 * Preloaded into worker processes (`NODE_OPTIONS=--require …`) for tests of what takes minutes: SIGWINCH makes the worker's
 * clock leap by a hundred seconds, and the half-minute that activities wait between two looks is a third of a second. How long requests
 * may last, and all that Temporal counts, is as ever. The product itself knows nothing of it.
 */
const { isMainThread } = require('node:worker_threads');

const LEAP_MS = 100_000;
const LOOK_MS = 30_000;
const HURRIED_LOOK_MS = 300;
const WAITS = /[/\\]activities[/\\]wait\.js/;

const { now } = Date;
let leaptMs = 0;
Date.now = () => now() + leaptMs;
if (isMainThread) process.on('SIGWINCH', () => (leaptMs += LEAP_MS));

const { setTimeout: wait } = globalThis;
const hurried = (act, ms, ...args) => {
  const isLook = ms === LOOK_MS && WAITS.test(new Error().stack);
  return wait(act, isLook ? HURRIED_LOOK_MS : ms, ...args);
};
globalThis.setTimeout = Object.defineProperties(hurried, Object.getOwnPropertyDescriptors(wait));
