/**
 * Preloaded into worker processes (`NODE_OPTIONS=--require …`) for tests of what takes hours: the durations in the JSON of
 * DURATION_CLASSES take the place of those that a spec is measured by. They are settings of the product
 * (`model/duration-classes.ts`); how a worker comes by them is the test's affair.
 */
const { join } = require('node:path');
const { isMainThread } = require('node:worker_threads');

if (isMainThread && process.env.DURATION_CLASSES) {
  const { DURATION_CLASSES } = require(join(__dirname, '../../dist/model/duration-classes.js'));
  Object.assign(DURATION_CLASSES, JSON.parse(process.env.DURATION_CLASSES));
}
