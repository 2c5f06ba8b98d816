/** What `watch` and `rent` print of a job's progress where no terminal is: one line for each change. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { describeCost, jobView } from '../cli/job-view';
import type { JobProgress, RentalProgress } from '../model/result';

const rental = (state: RentalProgress['state']): RentalProgress => ({
  ...{ n: 1, workflowId: 'job/rental/1', provider: { id: '0xp', name: 'steady' }, state, tasksDone: 0 },
});
const progress = (more: Partial<JobProgress>): JobProgress =>
  ({ phase: 'negotiating', tasks: { total: 0 }, rentals: [], ...more }) as JobProgress;
const failed = (type: string, message: string) => ({
  lastFailure: { type, message, at: '2026-01-01T00:00:00Z' },
});

async function printed(...steps: JobProgress[]): Promise<string[]> {
  const stream = new PassThrough();
  const view = jobView(stream as unknown as NodeJS.WriteStream);
  steps.forEach((step) => view.update(step));
  stream.end();
  return (await text(stream)).trimEnd().split('\n');
}

test('a market that has nobody yet is no failure, and is told once', async () => {
  const nobody = (offers: number) => failed('NoProviders', `${offers} offers seen, none suits`);
  const busy = { rentals: [rental('busy')] };
  expect(
    await printed(
      progress(nobody(0)),
      progress(nobody(3)),
      progress({ ...busy, ...nobody(0) }),
      progress({ ...nobody(0), phase: 'failed' }),
    ),
  ).toEqual([
    'no provider yet: 0 offers seen, none suits',
    'phase: negotiating',
    'steady: busy',
    'no more providers yet: 0 offers seen, none suits',
    'NoProviders: 0 offers seen, none suits',
    'phase: failed',
  ]);
});

test('what is tried again and again is told once', async () => {
  const tried = (times: number) =>
    progress(failed('PayerUnavailable', `it is away (attempt ${times}, tried again)`));
  expect(await printed(tried(2), tried(3), progress(failed('PayerUnavailable', 'it is gone')))).toEqual([
    'PayerUnavailable: it is away (attempt 2, tried again)',
    'phase: negotiating',
    'PayerUnavailable: it is gone',
  ]);
});

test('cost is told with the time that the budget lasts, as long as something runs', () => {
  const cost = { at: '', accrued: '0.0004', perHour: '0.12', budgetLastsSec: 12_000 };
  expect(describeCost(progress({ cost, rentals: [rental('busy')] }))).toBe(
    '0.0004 more has accrued, 0.12 an hour, enough for 3 h 20 min',
  );
  expect(describeCost(progress({ cost, rentals: [rental('closed')] }))).toBe('');
});

test('on a terminal what it costs stands below the bar of the tasks, and each provider that lives has a bar', async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  const view = jobView(stream as unknown as NodeJS.WriteStream);
  view.update(
    progress({
      ...{ phase: 'running', tasks: { total: 4, waiting: 2, running: 1, done: 1, failed: 0 } },
      money: { budget: '1', reserved: '1', accepted: '0.5', paid: '0.2', platform: 'erc20-holesky-tglm' },
      cost: { at: '', accrued: '0.0004', perHour: '0.12', budgetLastsSec: 12_000 },
      rentals: [
        { ...rental('busy'), currentTask: 'two' },
        { ...rental('closed'), n: 2 },
      ],
    }),
  );
  view.stop();
  stream.end();
  const shown = stripVTControlCharacters(await text(stream));
  const bar = (done: number): string => '█'.repeat(done).padEnd(24, '░');
  for (const line of [
    `${bar(6)} running · 1 of 4 tasks done, 1 running\n`,
    ' owed 0.3, paid 0.2 of 1 tGLM\n',
    ' 0.0004 more has accrued, 0.12 an hour, enough for 3 h 20 min\n',
    `${bar(0)} steady           0 done  runs two`,
  ])
    expect(shown).toContain(line);
  // Of the one that has ended there is none.
  expect(shown).not.toContain('closed');
});
