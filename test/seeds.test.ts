/**
 * Random jobs on random networks with random faults, by number: whatever dies, the promises are kept. A seed that breaks
 * one shows what it broke, and is run again with `npm run chaos -- --seed N`. `npm run soak` runs 200.
 */
import { planOf } from './chaos/plan';
import { explain, runSeed } from './chaos/run-seed';
import { Tally } from './chaos/tally';
import { requireBuild } from './support/cli';
import { temporalAddress } from './support/temporal';

/** Quick ones that differ: what they are is told by `npm run chaos -- --seed N --plan`. */
const SAMPLE = [4, 17, 36, 61, 193];
const SEEDS = process.env.SOAK ? Array.from({ length: 200 }, (_, index) => index + 1) : SAMPLE;
const LONG = 300_000;

const tally = new Tally();

beforeAll(requireBuild);
afterAll(() => {
  if (process.env.SOAK) process.stderr.write(`${tally.lines().join('\n')}\n`);
});

test.concurrent.each(SEEDS)(
  'seed %i keeps all promises',
  async (seed) => {
    const report = await runSeed(planOf(seed), { temporalAddress: temporalAddress() });
    tally.add(report);
    expect(report.broken.length === 0 ? [] : explain(report)).toEqual([]);
  },
  LONG,
);

test('a seed stands for one plan', () => {
  expect(planOf(7)).toEqual(planOf(7));
  expect(planOf(7)).not.toEqual(planOf(8));
});
