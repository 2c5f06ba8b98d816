/** What the page shows of a job is made of its events by pure functions: nothing more, and nothing less. */
import type { Costs, JobEvent } from '../client';
import type { JobResult, RentalProgress } from '../model/result';
import { billsOf } from '../ui/bills';
import { addSample, costStepsOf, MOST_STEPS, stepsWith } from '../ui/cost-curve';
import { KeptEvents, MOST_EVENTS } from '../ui/job-events';
import { providersOf } from '../ui/providers';
import { tasksByBatch, tasksOf } from '../ui/tasks';
import { MOST_LANES, MOST_SEGMENTS, timelineOf, type Lane, type TimelineFacts } from '../ui/timeline';

const START = Date.parse('2026-01-01T00:00:00Z');
const provider = (name: string) => ({ id: `0x${name}`, name });
const [ann, bob] = [provider('ann'), provider('bob')];

/** Events of one workflow, numbered, each so many seconds after the start. */
function told(workflowId: string, ...events: [sec: number, name: string, details: object][]): JobEvent[] {
  return events.map(([sec, name, details], index) => ({
    ...{ workflowId, seq: index + 1, name: name as JobEvent['name'] },
    ...{ at: new Date(START + sec * 1000).toISOString(), details: details as JobEvent['details'] },
  }));
}

const FACTS: TimelineFacts = { providers: new Map(), tasks: new Map(), isOver: false };

/** `kind from–to`, seconds after the start; `…` for what still lasts, `!` for what ended badly. */
function drawn({ rows }: Lane): string[][] {
  const sec = (ms: number): number => (ms - START) / 1000;
  return rows.map((row) =>
    row.map(
      ({ kind, from, to, bad }) =>
        `${kind} ${sec(from)}–${to === undefined ? '…' : sec(to)}${bad ? '!' : ''}`,
    ),
  );
}

/** A whole engagement with one provider. */
const ENGAGEMENT = told(
  'job/rental/1',
  [0, 'ProposalReceived', { id: 'offer', provider: ann }],
  [5, 'ProposalResponded', { id: 'counter', counteringProposalId: 'offer', provider: ann }],
  [6, 'ProposalReceived', { id: 'draft', parentId: 'counter', provider: ann }],
  [8, 'AgreementCreated', { id: 'A', proposalId: 'draft', provider: ann }],
  [
    9,
    'AgreementConfirmed',
    { id: 'A', provider: ann, pricing: { startPrice: '0.1', cpuPerSec: '0.00001', envPerSec: '0' } },
  ],
  [10, 'ActivityCreated', { id: 'vm', agreementId: 'A', provider: ann }],
  [10, 'ActivityStateChanged', { id: 'vm', agreementId: 'A', provider: ann, state: 'Initialized' }],
  [11, 'ScriptSent', { activityId: 'vm', agreementId: 'A', batchId: 'up' }],
  [14, 'ScriptExecuted', { activityId: 'vm', agreementId: 'A', batchId: 'up', success: true }],
  [14, 'ActivityStateChanged', { id: 'vm', agreementId: 'A', provider: ann, state: 'Ready' }],
  [15, 'ScriptSent', { activityId: 'vm', agreementId: 'A', batchId: 'b1', task: 'one' }],
  [20, 'ScriptExecuted', { activityId: 'vm', agreementId: 'A', batchId: 'b1', success: true }],
  [21, 'DebitNoteReceived', { id: 'n1', activityId: 'vm', agreementId: 'A', provider: ann, amount: '0.2' }],
  [21, 'DebitNoteAccepted', { id: 'n1', activityId: 'vm', agreementId: 'A', provider: ann, amount: '0.2' }],
  [22, 'ScriptSent', { activityId: 'vm', agreementId: 'A', batchId: 'b2', task: 'two' }],
  [25, 'ScriptExecuted', { activityId: 'vm', agreementId: 'A', batchId: 'b2', success: false }],
  [26, 'ActivityDestroyed', { id: 'vm', agreementId: 'A', provider: ann }],
  [26, 'ActivityStateChanged', { id: 'vm', agreementId: 'A', provider: ann, state: 'Terminated' }],
  [27, 'AgreementTerminated', { id: 'A', provider: ann, reason: 'no work is left', terminator: 'Requestor' }],
  [28, 'InvoiceReceived', { id: 'i', agreementId: 'A', provider: ann, amount: '0.3' }],
  [29, 'PaymentAccepted', { id: 'i', agreementId: 'A', provider: ann, amount: '0.3' }],
  [30, 'PaymentConfirmed', { id: 'i', agreementId: 'A', provider: ann, amount: '0.3' }],
);

describe('the timeline', () => {
  test('shows negotiation, deployment, each script, idle times and the settlement of a provider', () => {
    const { lanes, from, to, more } = timelineOf(ENGAGEMENT, { ...FACTS, isOver: true });
    expect({ from, to, more }).toEqual({ from: START, to: START + 30_000, more: 0 });
    expect(lanes.map((lane) => [lane.provider.name, ...drawn(lane)])).toEqual([
      [
        'ann',
        [
          ...[
            'negotiating 5–6',
            'signing 8–9',
            'signed 9–10',
            'deploying 10–14',
            'idle 14–15',
            'script 15–20',
          ],
          ...['idle 20–22', 'script 22–25!', 'idle 25–26', 'settling 27–30'],
        ],
      ],
    ]);
    expect(lanes[0]?.rows[0]?.flatMap(({ task }) => task ?? [])).toEqual(['one', 'two']);
    expect(lanes[0]?.marks).toEqual([
      { at: START + 21_000, kind: 'note', text: 'debit note, 0.2 GLM in all' },
    ]);
  });

  test('leaves open what still lasts, while the job does', () => {
    const running = ENGAGEMENT.slice(0, 11);
    const [lane] = timelineOf(running, FACTS).lanes;
    expect(drawn(lane!)[0]?.at(-1)).toBe('script 15–…');
    const [ended] = timelineOf(running, { ...FACTS, isOver: true }).lanes;
    expect(drawn(ended!)[0]?.at(-1)).toBe('script 15–15');
  });

  test('invents no beginning for an agreement whose first events are not kept any more', () => {
    const providers = new Map([['A', ann]]);
    const [lane, ...others] = timelineOf(ENGAGEMENT.slice(14, 17), { ...FACTS, providers }).lanes;
    expect(others).toEqual([]);
    expect(lane).toMatchObject({ provider: ann, isCut: true });
    expect(drawn(lane!)).toEqual([['script 22–25!', 'idle 25–26']]);
  });

  test('has a lane for a provider, and a row for what went on beside something else', () => {
    const created = (sec: number, id: string, of: object) =>
      [sec, 'AgreementCreated', { id, provider: of }] as const;
    const events = told(
      'job/rental/1',
      ...[created(0, 'A', ann), created(1, 'B', bob), created(2, 'C', ann)].map(
        (each) => [...each] as [number, string, object],
      ),
      [3, 'AgreementTerminated', { id: 'A', provider: ann }],
      [4, 'AgreementRejected', { id: 'C', provider: ann, reason: 'busy' }],
      [9, 'AgreementCreated', { id: 'D', provider: ann }],
    );
    const { lanes } = timelineOf(events, FACTS);
    expect(lanes.map((lane) => [lane.provider.name, lane.agreements, drawn(lane)])).toEqual([
      [
        'ann',
        3,
        [
          ['signing 0–3', 'settling 3–…'],
          ['signing 2–4!', 'signing 9–…'],
        ],
      ],
      ['bob', 1, [['signing 1–…']]],
    ]);
  });

  test('draws very many scripts as blocks that say how many they are, and no more lanes than can be looked at', () => {
    const scripts = Array.from({ length: 5000 }, (_, i): [number, string, object][] => [
      [20 + i, 'ScriptSent', { activityId: 'vm', agreementId: 'A', batchId: `s${i}`, task: `t${i}` }],
      [
        20.5 + i,
        'ScriptExecuted',
        { activityId: 'vm', agreementId: 'A', batchId: `s${i}`, success: i % 1000 !== 7 },
      ],
    ]).flat();
    const others = Array.from({ length: 300 }, (_, i): [number, string, object] => [
      ...([6000 + i, 'AgreementCreated', { id: `A${i}`, provider: provider(`p${i}`) }] as const),
    ]);
    const { lanes, more } = timelineOf(
      [...ENGAGEMENT.slice(0, 10), ...told('job/rental/2', ...scripts, ...others)],
      FACTS,
    );
    expect([lanes.length, more]).toEqual([MOST_LANES, 301 - MOST_LANES]);
    const [row] = lanes[0]!.rows;
    expect(row!.length).toBeLessThanOrEqual(MOST_SEGMENTS + 10);
    const counted = row!.reduce((sum, { kind, count }) => sum + (count ?? (kind === 'script' ? 1 : 0)), 0);
    expect(counted).toBe(5000);
    expect(row!.reduce((sum, { failed = 0 }) => sum + failed, 0)).toBe(5);
  });
});

describe('the cost over time', () => {
  test('adds up, by agreement, the newest note of each VM, and then the invoice in their place', () => {
    const note = (sec: number, activityId: string, amount: string): [number, string, object] => [
      ...([sec, 'DebitNoteAccepted', { id: `n${sec}`, activityId, agreementId: 'A', amount }] as const),
    ];
    const events = told(
      'job/settlement',
      note(1, 'vm1', '0.1'),
      note(2, 'vm1', '0.2'),
      note(3, 'vm2', '0.000000000000000001'),
      [4, 'PaymentAccepted', { id: 'i', agreementId: 'B', amount: '1' }],
      [5, 'PaymentAccepted', { id: 'j', agreementId: 'A', amount: '0.3' }],
      [6, 'PaymentConfirmed', { id: 'i', agreementId: 'B', amount: '1' }],
    );
    expect(
      costStepsOf(events).map(({ at, accepted, paid }) => [(at - START) / 1000, accepted, paid]),
    ).toEqual([
      [1, '0.1', '0'],
      [2, '0.2', '0'],
      [3, '0.200000000000000001', '0'],
      [4, '1.200000000000000001', '0'],
      [5, '1.3', '0'],
      [6, '1.3', '1'],
    ]);
  });

  test('has the end of a long job, in no more steps than are drawn', () => {
    const notes = Array.from({ length: 3000 }, (_, i): [number, string, object] => [
      ...([
        i,
        'DebitNoteAccepted',
        { id: `n${i}`, activityId: 'vm', agreementId: 'A', amount: String(i) },
      ] as const),
    ]);
    const steps = costStepsOf(told('job/settlement', ...notes));
    expect(steps.length).toBeLessThanOrEqual(MOST_STEPS + 1);
    expect(steps.at(-1)?.accepted).toBe('2999');
  });

  test('knows of payments that no event tells, from what the job said of itself', () => {
    const money = { budget: '1', reserved: '1', accepted: '0.2', paid: '0.1', platform: 'p' };
    const cost = { at: new Date(START + 3000).toISOString(), accrued: '0.05', perHour: '1' };
    const samples = addSample([], { money, cost } as Parameters<typeof addSample>[1]);
    expect(samples).toEqual([{ at: START + 3000, spent: '0.25', accepted: '0.2', paid: '0.1' }]);
    const step = { at: START + 1000, accepted: '0.2', paid: '0' };
    expect(stepsWith([step], samples)).toEqual([step, { at: START + 3000, accepted: '0.2', paid: '0.1' }]);
  });
});

test('bills are told with what became of them', () => {
  const refused = told(
    'job/settlement',
    [1, 'DebitNoteReceived', { id: 'dear', activityId: 'vm', agreementId: 'B', provider: bob, amount: '9' }],
    [
      1,
      'PaymentFailed',
      { id: 'dear', activityId: 'vm', agreementId: 'B', provider: bob, amount: '9', reason: 'too much' },
    ],
  );
  expect(billsOf([...ENGAGEMENT, ...refused])).toEqual([
    expect.objectContaining({ id: 'n1', kind: 'debit note', state: 'accepted', amount: '0.2' }),
    expect.objectContaining({ id: 'i', kind: 'invoice', state: 'paid', amount: '0.3', provider: ann }),
    expect.objectContaining({ id: 'dear', kind: 'debit note', state: 'refused', reason: 'too much' }),
  ]);
});

test('a provider is shown with hardware, prices by the hour, and what it did', () => {
  const offer = { cpuBrand: 'Brand', cpuCores: 2, cpuThreads: 4, memory: 8, storage: 40, runtimeName: 'vm' };
  const offers = told('job', [0, 'ProposalReceived', { id: 'x', provider: bob, details: offer }]);
  const settlement = { agreements: [{ agreementId: 'A', provider: ann, accepted: '0.3', paid: '0.3' }] };
  const { shown, all, hired } = providersOf([...offers, ...ENGAGEMENT], {
    rentals: [],
    settlement: settlement as unknown as Costs,
  });
  expect({ all, hired, names: shown.map((each) => each.provider.name) }).toEqual({
    all: 2,
    hired: 1,
    names: ['ann', 'bob'],
  });
  expect(shown[0]).toMatchObject({
    ...{
      prices: { start: '0.1', cpuPerHour: '0.036', envPerHour: '0' },
      accepted: '0.3',
      paid: '0.3',
      hireCount: 1,
    },
    hires: [
      {
        agreementId: 'A',
        state: 'ended',
        reason: 'no work is left',
        scripts: { done: 1, failed: 1, running: 0 },
      },
    ],
  });
  expect(shown[1]).toMatchObject({
    hardware: { cpuBrand: 'Brand', cpuThreads: 4, memGib: 8 },
    hireCount: 0,
    offers: 1,
  });
});

describe('tasks', () => {
  test('are known by their scripts while a job runs', () => {
    const rentals = [{ agreementId: 'A', provider: ann }] as unknown as RentalProgress[];
    expect(tasksOf(ENGAGEMENT.slice(0, 15), rentals, undefined)).toEqual({
      from: 'events',
      rows: [
        expect.objectContaining({ name: 'one', state: 'done', attempts: 1, provider: ann }),
        expect.objectContaining({ name: 'two', state: 'running', attempts: 1 }),
      ],
    });
  });

  test('are those of the result in the end', () => {
    const attempt = { batchId: 'b9', earlierBatches: ['b8'] };
    const task = {
      name: 'one',
      state: 'failed',
      attempts: [attempt],
      results: [],
      failure: { type: 'T', message: 'why' },
    };
    const result = { tasks: [task] } as unknown as JobResult;
    expect(tasksOf(ENGAGEMENT, [], result)).toEqual({
      from: 'result',
      rows: [expect.objectContaining({ name: 'one', state: 'failed', attempts: 1, failure: 'T: why' })],
    });
    expect([...tasksByBatch(result)]).toEqual([
      ['b8', 'one'],
      ['b9', 'one'],
    ]);
  });
});

describe('the events that are kept', () => {
  test('are each there once, and say how many are missing', () => {
    const events = new KeptEvents();
    for (const event of [...ENGAGEMENT.slice(4), ...ENGAGEMENT]) events.add(event);
    expect(events.all).toEqual(ENGAGEMENT.slice(4));
    expect(events.missing).toBe(4);
  });

  test('are found by their text and read page by page, newest first, however many there are', () => {
    const events = new KeptEvents();
    const many = Array.from({ length: MOST_EVENTS * 1.3 }, (_, i): [number, string, object] => [
      i,
      'ScriptSent',
      { task: `t${i}.` },
    ]);
    for (const event of told('job/rental/1', ...many)) events.add(event);
    expect(events.count).toBe(many.length);
    expect(events.all.length).toBe(events.count - events.missing);
    expect(events.all.length).toBeLessThanOrEqual(MOST_EVENTS * 1.1);
    const first = events.page(2);
    expect(first.events.map(({ details }) => details.task)).toEqual([
      `t${many.length - 1}.`,
      `t${many.length - 2}.`,
    ]);
    const next = events.page(1, { before: first.events[1]?.place });
    expect(next.events[0]?.details.task).toBe(`t${many.length - 3}.`);
    expect(events.page(5, { find: 'T25000.' })).toMatchObject({
      events: [{ details: { task: 't25000.' } }],
      more: false,
    });
  });
});
