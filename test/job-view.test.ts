/** What `watch` and `rent` print of a job's progress where no terminal is: one line for each change. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
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
