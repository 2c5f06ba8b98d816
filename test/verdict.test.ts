/** The judge of the chaos runs sees every promise that is broken. */
import type { Effect, EffectKind, LedgerEntry } from '../devnet';
import type { JobResult, SettlementResult, TaskAttempt } from '../model/result';
import type { Evidence } from './chaos/evidence';
import { judge } from './chaos/verdict';

const NOTHING = { allocations: 0, demands: 0, agreements: 0, activities: 0 };
const PROVIDER = { id: '0x1', name: 'one' };
const AT = '2026-01-01T00:00:00Z';

/** Effects of a run, numbered. */
function effects(...list: [EffectKind, Record<string, unknown>?][]): Effect[] {
  return list.map(([kind, fields], index) => ({ seq: index + 1, kind, ...fields }) as unknown as Effect);
}

const ALLOCATED: [EffectKind, Record<string, unknown>] = [
  'allocation-created',
  { allocationId: 'a', amount: '1' },
];
const RENTED: [EffectKind, Record<string, unknown>][] = [
  ['allocation-created', { allocationId: 'a', amount: '1' }],
  ['agreement-created', { agreementId: 'A', proposalId: 'P' }],
  ['agreement-approved', { agreementId: 'A' }],
  ['activity-created', { agreementId: 'A', activityId: 'V' }],
  ['script-started', { agreementId: 'A', activityId: 'V', batchId: 'deploy', commands: ['deploy', 'start'] }],
];
const script = (batchId: string, activityId = 'V'): [EffectKind, Record<string, unknown>] => [
  'script-started',
  { agreementId: 'A', activityId, batchId, commands: ['run'] },
];
const note = (id: string, amount: string, activityId = 'V'): [EffectKind, Record<string, unknown>] => [
  'debit-note-accepted',
  { debitNoteId: id, agreementId: 'A', activityId, amount },
];
const invoice = (id: string, amount: string, agreementId = 'A'): [EffectKind, Record<string, unknown>][] => [
  ['invoice-accepted', { invoiceId: id, agreementId, amount }],
  ['invoice-settled', { invoiceId: id, agreementId, amount }],
];
const RELEASED: [EffectKind, Record<string, unknown>] = ['allocation-released', { allocationId: 'a' }];

function paid(amount: string, agreementId = 'A'): LedgerEntry {
  const of = [{ agreementId, allocationId: 'a', amount }];
  return { seq: 1, at: AT, kind: 'payment', platform: 'p', from: 'r', to: 'p', amount, for: of };
}

function attempt(state: TaskAttempt['state'], batchId?: string, activityId = 'V'): TaskAttempt {
  return {
    ...{ attempt: 1, provider: PROVIDER, agreementId: 'A', activityId, batchId, state },
    ...{ startedAt: AT, finishedAt: AT },
  };
}

function result(attempts: TaskAttempt[], stdout = 'hello\n', state: 'done' | 'failed' = 'done'): JobResult {
  const results = [{ index: 0, result: 'Ok' as const, stdout, stderr: null, message: null }];
  return {
    ...{
      jobId: 'job',
      jobUuid: 'uuid',
      state,
      startedAt: AT,
      finishedAt: AT,
      settlementId: 'job/settlement',
    },
    tasks: [{ name: 'one', state, results, attempts }],
  };
}

const settlement = (accepted: string, state: 'settled' | 'unpaid' = 'settled'): SettlementResult => ({
  ...{ jobId: 'job', jobUuid: 'uuid', state },
  money: { budget: '1', reserved: '1', accepted, paid: accepted, platform: 'p' },
  agreements: [
    { agreementId: 'A', provider: PROVIDER, accepted, paid: accepted, state: 'settled', debitNotes: 0 },
  ],
});

/** A run without fault, but for what is given. */
function run(given: Partial<Evidence> & { result?: JobResult | null } = {}): Evidence {
  const { result: returned, ...evidence } = given;
  return {
    effects: effects(...RENTED, script('b'), note('n', '0.1'), ...invoice('i', '0.3'), RELEASED),
    ledger: [paid('0.1'), paid('0.2')],
    open: NOTHING,
    jobs: [
      {
        budget: '1',
        tasks: [{ name: 'one', stdout: 'hello\n' }],
        result: returned === null ? undefined : (returned ?? result([attempt('done', 'b')])),
      },
    ],
    ...evidence,
  };
}

test('a run without fault breaks no promise', () => {
  expect(judge(run())).toEqual({
    broken: [],
    counts: {
      ...{ scripts: 1, scriptsRunAgain: 0, uncertain: 0, extraAllocations: 0, doubleReservations: 0 },
      ...{ demands: 0, agreements: 1, idleAgreements: 0, vms: 1, debitNotesAccepted: 1, invoicesAccepted: 1 },
      ...{ accepted: '0.3', paid: '0.3' },
    },
  });
});

test('an uncertain attempt accounts for a script in its VM, and for its repeat in another', () => {
  const again = run({
    effects: effects(...RENTED, script('x'), script('b', 'W'), ...invoice('i', '0.3'), RELEASED),
    ledger: [paid('0.3')],
    result: result([attempt('uncertain'), attempt('done', 'b', 'W')]),
  });
  expect(judge(again)).toMatchObject({
    broken: [],
    counts: { scriptsRunAgain: 1, uncertain: 1, scripts: 2 },
  });
});

test('without an accepted invoice the accepted notes are owed', () => {
  const unpaid = run({
    effects: effects(...RENTED, script('b'), note('n', '0.1'), note('m', '0.2'), RELEASED),
    ledger: [paid('0.2')],
  });
  expect(judge(unpaid).broken).toEqual([]);
});

const MONEY = [...RENTED, script('b')];
const DONE = result([attempt('done', 'b')]);

test.each<[string, Parameters<typeof run>[0], RegExp]>([
  ['something left open', { open: { ...NOTHING, agreements: 1 } }, /1 agreements are left open/],
  ['a wrong result', { result: result([attempt('done', 'b')], 'bye\n') }, /printed "bye\\n" instead of/],
  ['a task that failed', { result: result([attempt('failed', 'b')], 'hello\n', 'failed') }, /one is failed/],
  ['no result', { result: null }, /returned no result/],
  ['a done task whose last attempt is not', { result: result([attempt('lost', 'b')]) }, /its last attempt/],
  [
    'a script started twice',
    { effects: effects(...RENTED, script('b'), script('b'), ...invoice('i', '0.3'), RELEASED) },
    /script b was started twice/,
  ],
  [
    'a VM set up twice',
    { effects: effects(...RENTED, ...RENTED.slice(-1), script('b'), ...invoice('i', '0.3')) },
    /the VM V was set up twice/,
  ],
  [
    'a script that nobody knows of',
    { effects: effects(...RENTED, script('b'), script('x'), ...invoice('i', '0.3'), RELEASED) },
    /script x was run in V, and no attempt accounts for it/,
  ],
  [
    'a script that an uncertain attempt in another VM does not account for',
    {
      effects: effects(...RENTED, script('b'), script('x'), ...invoice('i', '0.3'), RELEASED),
      result: result([attempt('uncertain', undefined, 'W'), attempt('done', 'b')]),
    },
    /script x was run in V, and no attempt accounts for it/,
  ],
  ['a script that never started', { result: result([attempt('done', 'z')]) }, /script z never started/],
  [
    'a task done twice',
    {
      effects: effects(...RENTED, script('b'), script('c'), ...invoice('i', '0.3'), RELEASED),
      result: result([attempt('done', 'b'), attempt('done', 'c')]),
    },
    /one was done, and run again/,
  ],
  [
    'an uncertain task run again in its VM',
    { result: result([attempt('uncertain'), attempt('done', 'b')]) },
    /run again in the same VM/,
  ],
  ['too little paid', { ledger: [paid('0.1')] }, /agreement A was paid 0.1 GLM where 0.3 were accepted/],
  [
    'more paid than accepted',
    { ledger: [paid('0.3'), paid('0.3')] },
    /agreement A was paid 0.6 GLM where 0.3 were accepted/,
  ],
  [
    'two invoices accepted',
    { effects: effects(...MONEY, ...invoice('i', '0.3'), ...invoice('j', '0.3'), RELEASED) },
    /agreement A has 2 accepted invoices/,
  ],
  [
    'a debit note accepted after the invoice',
    { effects: effects(...MONEY, ...invoice('i', '0.3'), note('n', '0.1'), RELEASED) },
    /debit note n was accepted after the invoice of agreement A/,
  ],
  [
    'more accepted than the budget',
    { effects: effects(...MONEY, ...invoice('i', '1.5'), RELEASED) },
    /1.5 GLM were accepted, the budget is 1/,
  ],
  [
    'more reserved than the budget',
    { effects: effects(ALLOCATED, ['allocation-created', { allocationId: 'b', amount: '1' }]) },
    /at effect 2 2 GLM were reserved in 2 allocations, the budget is 1/,
  ],
  [
    'an allocation amended beyond the budget',
    { effects: effects(ALLOCATED, ['allocation-amended', { allocationId: 'a', amount: '2' }]) },
    /2 GLM were reserved in 1 allocations/,
  ],
  [
    'two agreements of one rental paid for',
    {
      effects: effects(
        ...MONEY,
        ['agreement-created', { agreementId: 'B', proposalId: 'P' }],
        ...invoice('i', '0.3'),
        ...invoice('j', '0.1', 'B'),
        RELEASED,
      ),
      ledger: [paid('0.3'), paid('0.1', 'B')],
    },
    /agreements A and B of one rental were both paid for/,
  ],
  [
    'two VMs at once paid for',
    {
      effects: effects(
        ...MONEY,
        ['activity-created', { agreementId: 'A', activityId: 'W' }],
        note('n', '0.1'),
        note('m', '0.1', 'W'),
        ...invoice('i', '0.3'),
        RELEASED,
      ),
    },
    /VMs V and W lived at once under agreement A/,
  ],
])('%s is seen', (_what, given, says) => {
  expect(judge(run(given)).broken).toContainEqual(expect.stringMatching(says));
});

test('one more allocation may live for a moment where a request was lost', () => {
  const twice = run({
    effects: effects(
      ...MONEY,
      ['allocation-created', { allocationId: 'b', amount: '1' }],
      ['allocation-released', { allocationId: 'b' }],
      ...invoice('i', '0.3'),
      RELEASED,
    ),
    ledger: [paid('0.3')],
    lostReservations: 1,
  });
  expect(judge(twice)).toMatchObject({ broken: [], counts: { extraAllocations: 1, doubleReservations: 1 } });
});

test('a settlement that says other than what happened is seen', () => {
  const jobs = (said: SettlementResult): Evidence['jobs'] => [
    { budget: '1', tasks: [{ name: 'one' }], result: DONE, settlement: said },
  ];
  expect(judge(run({ jobs: jobs(settlement('0.3')) })).broken).toEqual([]);
  expect(judge(run({ jobs: jobs(settlement('0.2')) })).broken).toEqual([
    'the settlement of job says that 0.2 GLM were accepted for agreement A, it was 0.3',
  ]);
  const unsettled = effects(...MONEY, [
    'invoice-accepted',
    { invoiceId: 'i', agreementId: 'A', amount: '0.3' },
  ]);
  expect(judge(run({ jobs: jobs(settlement('0.3')), effects: unsettled })).broken).toEqual([
    'the settlement of job is settled, agreement A is not',
  ]);
});

test('of a job that was terminated only what is certain is judged', () => {
  const given = run({
    effects: effects(...RENTED, script('x'), ...invoice('i', '0.3'), RELEASED),
    result: null,
  });
  const [job] = given.jobs;
  expect(judge({ ...given, jobs: [{ ...job!, mustBeDone: false }] }).broken).toEqual([]);
});

test('a setup that goes on in another script is no script of a task', () => {
  const finished = (batchId: string, how: 'Ok' | 'Error'): [EffectKind, Record<string, unknown>] => [
    'script-finished',
    { agreementId: 'A', activityId: 'V', batchId, commands: ['transfer'], result: how },
  ];
  const setup = [...RENTED, finished('deploy', 'Error'), script('more'), finished('more', 'Ok')];
  const rest = [note('n', '0.1'), ...invoice('i', '0.3'), RELEASED];
  expect(judge(run({ effects: effects(...setup, script('b'), ...rest) }))).toMatchObject({
    ...{ broken: [], counts: { scripts: 1 } },
  });
  const twice = run({ effects: effects(...setup, script('x'), script('b'), ...rest) });
  expect(judge(twice).broken).toEqual([expect.stringMatching(/^script x was run in V, and no attempt/)]);
});
