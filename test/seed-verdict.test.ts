/** The judge of seeds tells what is wrong, and nothing where all is well. */
import { providerNodeId } from '../devnet/identity';
import type { Effect } from '../devnet';
import type { TaskAttempt, TaskResult } from '../model/result';
import { planOf, type Plan } from './chaos/plan';
import { judgePrices } from './chaos/price-verdict';
import { judgeSeed, type SeedEvidence } from './chaos/seed-verdict';
import type { Strokes } from './chaos/strokes';

const PROVIDER = 'p1';

/** A plan of one task that runs once, on an honest provider: 0.0036 GLM an hour for the VM, nothing else. */
const plan: Plan = {
  ...planOf(1),
  job: {
    ...{ setup: 'none', budget: '1', maxProviders: 1, select: 'cheapest', toleranceSec: 0 },
    tasks: [
      {
        ...{ name: 't1', kind: 'echo', sec: 1, timeoutSec: 10, maxAttempts: 2, onUncertain: 'freshVm' },
      },
    ],
  },
  providers: [
    {
      nature: 'honest',
      config: { name: PROVIDER, pricing: { start: '0', cpuPerHour: '0', envPerHour: '0.0036' } },
      faults: [],
    },
  ],
  faults: [],
  strokes: [],
};

let seq = 0;
const effect = (second: number, kind: string, fields: object): Effect =>
  ({
    ...{ seq: ++seq, at: new Date(second * 1000).toISOString(), cause: 'test', kind },
    ...{ agreementId: 'a1', ...fields },
  }) as unknown as Effect;

/** An agreement of ten seconds, and what its invoice asks for. */
const rental = (amount: string): Effect[] => [
  effect(0, 'agreement-created', { providerId: providerNodeId(PROVIDER), proposalId: 'x' }),
  effect(0, 'agreement-approved', {}),
  effect(0, 'activity-created', { activityId: 'vm' }),
  effect(10, 'activity-destroyed', { activityId: 'vm', reason: 'destroyed' }),
  effect(10, 'agreement-terminated', { terminator: 'Requestor', reason: {} }),
  effect(10, 'invoice-issued', { invoiceId: 'i1', amount }),
  effect(11, 'invoice-accepted', { invoiceId: 'i1', amount }),
];

test('an agreement may cost what its price allows, and no more', () => {
  expect(judgePrices(rental('0.00001'), plan)).toEqual([]);
  expect(judgePrices(rental('0.00002'), plan)).toEqual([
    expect.stringMatching(/^agreement a1 with p1 cost 0\.00002 GLM, by its price at most 0\.0000106$/),
  ]);
});

const attempt = (state: TaskAttempt['state']): TaskAttempt => ({
  ...{ attempt: 1, provider: { id: providerNodeId(PROVIDER), name: PROVIDER }, agreementId: 'a1', state },
  ...{ startedAt: new Date(0).toISOString(), finishedAt: new Date(0).toISOString() },
});

/** A run in which nothing is wrong, but for what a test changes. */
function judged(changes: Partial<SeedEvidence>, task?: Partial<TaskResult>): string[] {
  const done: TaskResult = { name: 't1', state: 'cancelled', results: [], attempts: [], ...task };
  const result = {
    ...{ jobId: 'job', jobUuid: 'uuid', state: 'failed' as const, settlementId: 'job/settlement' },
    ...{ startedAt: '', finishedAt: '', tasks: [done] },
    ...(task ? {} : { failure: { type: 'NoProviders', message: 'nobody' } }),
  };
  return judgeSeed({
    plan,
    evidence: {
      ...{ effects: [], ledger: [], open: { allocations: 0, demands: 0, agreements: 0, activities: 0 } },
      jobs: [{ budget: '1', tasks: [{ name: 't1' }], mustBeDone: false, result }],
    },
    strokes: { did: () => false } as unknown as Strokes,
    ending: { status: 'COMPLETED', result },
    settlement: { status: 'COMPLETED' },
    ...{ histories: [], appKey: 'secret', output: [], deaths: [] },
    ...changes,
  }).broken;
}

test('a run in which nothing is wrong breaks nothing', () => {
  expect(judged({})).toEqual([]);
});

test.each<[string, Partial<SeedEvidence>, RegExp]>([
  ['a job that was terminated by nobody', { ending: { status: 'TERMINATED' } }, /the job is TERMINATED/],
  [
    'a failure without a name of ours',
    { ending: { status: 'FAILED', failure: { type: 'TypeError', message: 'x of undefined' } } },
    /the job failed with TypeError: x of undefined/,
  ],
  [
    'a settlement that failed',
    { settlement: { status: 'FAILED', failure: { type: 'Error', message: 'x' } } },
    /settlement failed/,
  ],
  ['the app key in the log', { output: ['key is secret'] }, /the app key is in the log/],
  [
    'a worker that died of itself',
    { deaths: ['out of memory'] },
    /the worker ended of itself: out of memory/,
  ],
  [
    'the app key in a history',
    {
      histories: [
        {
          workflowId: 'job',
          history: { events: [{ x: { data: Buffer.from('"secret"') } }] } as unknown as never,
        },
      ],
    },
    /the app key is in the history of job/,
  ],
  [
    'a workflow task that went another way than its history',
    {
      histories: [
        {
          workflowId: 'job',
          history: {
            events: [
              { workflowTaskFailedEventAttributes: { cause: 24, failure: { message: 'nondeterminism' } } },
            ],
          } as unknown as never,
        },
      ],
    },
    /a workflow task of job failed: nondeterminism/,
  ],
])('%s is told', (_what, changes, told) => {
  expect(judged(changes)).toEqual([expect.stringMatching(told)]);
});

test('a bill that nobody decided is told', () => {
  const evidence = {
    ...{ effects: rental('0').filter(({ kind }) => kind !== 'invoice-accepted'), ledger: [], jobs: [] },
    open: { allocations: 0, demands: 0, agreements: 0, activities: 0 },
  };
  expect(judged({ evidence })).toEqual([
    expect.stringMatching(/invoice i1 of agreement a1 was never decided/),
  ]);
});

test('a task that failed before its attempts were used up is told', () => {
  const failure = { type: 'CommandFailed', message: 'exit 1' };
  expect(judged({}, { state: 'failed', failure, attempts: [attempt('lost'), attempt('lost')] })).toEqual([]);
  expect(judged({}, { state: 'failed', failure, attempts: [attempt('lost')] })).toEqual([
    expect.stringMatching(/task t1 failed after 1 of 2 attempts: exit 1/),
  ]);
});
