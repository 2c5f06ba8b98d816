/** A job spec: what a user may write, what it is completed to, and how mistakes are told. */
import { jobSpecJsonSchema } from '../model/json-schema';
import { specProblems } from '../model/spec-anywhere';
import { type ParsedSpec, parseJobSpec, type SpecSettings } from '../model/spec';

const HASH = 'd73cc921276b01be2abe29596997cd92ad0a8a50566d4925c743bcd8';
const FILE = { from: 'https://example.org/tasks.jsonl?signature=abc' };
const PARTS = 'https://example.org/results-{part}.jsonl';
const SMALL = { image: 'golem/alpine:latest', budget: '1', tasks: ['echo hello'] };

const FULL = {
  image: { tag: 'golem/blender:latest' },
  connection: 'default',
  budget: { amount: '5', network: 'polygon', driver: 'erc20', onLow: 'topUp', max: '20' },
  demand: {
    subnetTag: 'public',
    expirationSec: 21600,
    debitNotesAcceptanceTimeoutSec: 240,
    midAgreementDebitNoteIntervalSec: 120,
    midAgreementPaymentTimeoutSec: 43200,
    maxOfferEvents: 100,
    offerFetchingIntervalSec: 20,
    proposalTimeoutSec: 20,
    minCpuCores: 4,
    minMemGib: 8,
    capabilities: ['vpn'],
  },
  pricing: { maxStartPrice: '0.1', maxCpuPerHour: '0.5', maxEnvPerHour: '0.2' },
  providers: { max: 8, deny: ['0x1E34baec996c448814b48eb4fbd908bea004da61'], select: 'cheapest' },
  setup: [{ transfer: { from: 'https://example.org/scene.blend', to: '/golem/input/scene.blend' } }],
  tasks: [
    {
      name: 'frame-1',
      vm: 'shared',
      commands: [
        { run: 'render.sh 1' },
        { transfer: { from: '/golem/output/1.png', to: 'https://example.org/put?signature=abc' } },
      ],
      timeoutSec: 3600,
      maxAttempts: 5,
      onUncertain: 'rerun',
    },
  ],
};

function parsed(input: unknown, settings?: SpecSettings): ParsedSpec {
  const reading = parseJobSpec(input, settings);
  if (!reading.ok) throw new Error(reading.problems.join('\n'));
  return reading.spec;
}

function problems(input: unknown, settings?: SpecSettings): string[] {
  const reading = parseJobSpec(input, settings);
  return reading.ok ? [] : reading.problems;
}

describe('the short form', () => {
  test('is completed with every default', () => {
    expect(parsed(SMALL)).toEqual({
      image: { tag: 'golem/alpine:latest', label: 'golem/alpine:latest' },
      connection: 'default',
      budget: { amount: '1', network: 'holesky', driver: 'erc20', token: 'tglm', onLow: 'finish' },
      demand: {
        subnetTag: 'public',
        expirationSec: 1800,
        leastLifeSec: 300,
        maxOfferEvents: 100,
        offerFetchingIntervalSec: 20,
        proposalTimeoutSec: 20,
        minCpuCores: 1,
        minCpuThreads: 1,
        minMemGib: 0.5,
        minStorageGib: 2,
        runtime: 'vm',
        capabilities: [],
      },
      pricing: {},
      providers: { max: 1, allow: [], deny: [], select: 'cheapest' },
      setup: [],
      tasks: [
        {
          name: 'task-1',
          vm: 'own:task-1',
          vmShared: false,
          commands: [{ run: 'echo hello' }],
          timeoutSec: 1500,
          maxAttempts: 3,
          onUncertain: 'freshVm',
        },
      ],
      interactive: false,
      outputLimitBytes: 65536,
      invoiceWaitSec: 86400,
      tolerance: { usageSec: 10, usageRatio: 0.05 },
    });
  });

  test('takes defaults that the worker sets', () => {
    const spec = parsed(SMALL, { subnetTag: 'mine', network: 'Polygon', driver: 'erc20next' });
    expect(spec.demand.subnetTag).toBe('mine');
    expect(spec.budget).toMatchObject({ network: 'polygon', driver: 'erc20next', token: 'glm' });
  });

  test.each([
    ['golem/alpine:latest', { tag: 'golem/alpine:latest' }],
    [HASH.toUpperCase(), { hash: HASH }],
    [
      `hash:sha3:${HASH}:http://127.0.0.1:7480/base.gvmi`,
      { url: 'http://127.0.0.1:7480/base.gvmi', hash: HASH },
    ],
    ['https://example.org/base.gvmi', { url: 'https://example.org/base.gvmi' }],
  ])('reads the image %s', (image, source) => {
    expect(parsed({ ...SMALL, image }).image).toEqual({ ...source, label: image });
  });

  test('takes shell lines for tasks, their commands and the setup', () => {
    const spec = parsed({
      ...SMALL,
      setup: ['a'],
      tasks: ['b', { commands: ['c', { run: '/bin/d', args: ['e'] }] }],
    });
    expect(spec.setup).toEqual([{ run: 'a' }]);
    expect(spec.tasks.map((task) => task.commands)).toEqual([
      [{ run: 'b' }],
      [{ run: 'c' }, { run: '/bin/d', args: ['e'] }],
    ]);
  });
});

describe('the full form', () => {
  test('is taken as it is written', () => {
    const spec = parsed(FULL);
    expect(spec).toMatchObject({
      image: { tag: 'golem/blender:latest', label: 'golem/blender:latest' },
      budget: { amount: '5', network: 'polygon', driver: 'erc20', token: 'glm', onLow: 'topUp', max: '20' },
      demand: { ...FULL.demand, minCpuThreads: 1 },
      pricing: FULL.pricing,
      providers: { max: 8, allow: [], deny: ['0x1e34baec996c448814b48eb4fbd908bea004da61'] },
      setup: FULL.setup,
    });
    expect(spec.tasks).toEqual([{ ...FULL.tasks[0], vmShared: true }]);
  });

  test('is taken again after a trip through JSON, as undefined fields leave no trace', () => {
    const withUndefined = { ...SMALL, demand: { subnetTag: undefined }, notify: undefined };
    expect(parsed(withUndefined)).toEqual(parsed(JSON.parse(JSON.stringify(withUndefined))));
    expect(JSON.parse(JSON.stringify(parsed(FULL)))).toEqual(parsed(FULL));
  });

  test('keeps notify, tolerance, interactive and the waits', () => {
    const written = {
      interactive: true,
      notify: { signal: 'golemProgress' },
      tolerance: { usageSec: 2 },
      invoiceWaitSec: 60,
      outputLimitBytes: 1000,
    };
    const spec = parsed({ image: HASH, budget: '1', ...written });
    expect(spec).toMatchObject({ ...written, tolerance: { usageSec: 2, usageRatio: 0.05 }, tasks: [] });
    expect(spec.providers.max).toBe(1);
  });

  test('tasks of one vm share it, others have one of their own, whatever names were given', () => {
    const spec = parsed({
      ...SMALL,
      tasks: [
        { vm: 'own:x', commands: ['a'] },
        { name: 'x', commands: ['b'] },
        { name: 'own:x', commands: ['c'] },
        { vm: 'own:x', commands: ['d'] },
      ],
    });
    const vms = spec.tasks.map((task) => task.vm);
    expect(vms[0]).toBe(vms[3]);
    expect(new Set(vms).size).toBe(3);
    expect(spec.providers.max).toBe(3);
  });

  test('rents at most 4 providers by default', () => {
    expect(parsed({ ...SMALL, tasks: Array.from({ length: 9 }, () => 'true') }).providers.max).toBe(4);
  });
});

describe('mistakes', () => {
  test('all are listed in one go, each with its path', () => {
    const found = problems({
      image: { tga: 'x' },
      budget: 1,
      demand: { expirationSec: 50000, midAgreementPaymentTimeoutSec: 0, minMemGb: 3 },
      tasks: [
        'true',
        { commands: [{ runn: 'x' }], timeoutsec: 3 },
        { name: 'task-1', commands: ['', { run: 'x', transfer: { from: '/a', to: '/b' } }], timeoutSec: 1.5 },
        7,
      ],
      setup: 'x',
      interactiv: true,
    });
    expect(found.map((line) => line.split(': ')[0]).sort()).toEqual([
      'budget',
      'demand.midAgreementPaymentTimeoutSec',
      'demand.minMemGb',
      'image.tga',
      'interactiv',
      'setup',
      'tasks[1].commands[0].runn',
      'tasks[1].timeoutsec',
      'tasks[2].commands[0]',
      'tasks[2].commands[1]',
      'tasks[2].name',
      'tasks[2].timeoutSec',
      'tasks[3]',
    ]);
  });

  test.each([
    [
      { tasks: ['a', 'b', 'c', { commands: ['d'], timeoutsec: 1 }] },
      'tasks[3].timeoutsec: unknown key, did you mean "timeoutSec"?',
    ],
    [{ demand: { minMem: 1 } }, 'demand.minMem: unknown key, did you mean "minMemGib"?'],
    [
      { demand: { midAgreementPayment: 1 } },
      'demand.midAgreementPayment: unknown key, did you mean "midAgreementPaymentTimeoutSec"?',
    ],
    [{ providers: { slect: 'x' } }, 'providers.slect: unknown key, did you mean "select"?'],
    [{ task: [] }, 'task: unknown key, did you mean "tasks"?'],
    [{ notify: { signal: 'x', zzz: 1 } }, 'notify.zzz: unknown key; known are signal'],
    [
      { tasks: [{ commands: [{ transfer: { form: '/a', to: '/b' } }] }] },
      'tasks[0].commands[0].transfer.form: unknown key, did you mean "from"?',
    ],
  ])('%j: the nearest name is told', (part, line) => {
    expect(problems({ ...SMALL, ...part })).toContain(line);
  });

  test.each([
    [{ resultsTo: 'https://example.org/{part}' }, /^resultsTo: belongs to tasks\.from/],
    [{ tasks: FILE }, /^resultsTo: is missing/],
    [{ tasks: FILE, resultsTo: 'https://example.org/results/' }, /^resultsTo: has no \{part\}/],
    [{ tasks: FILE, resultsTo: 'https://{part}.example.org/' }, /^resultsTo: has no \{part\}/],
    [{ tasks: FILE, resultsTo: 'ftp://example.org/{part}' }, /^resultsTo: must be an http\(s\) URL without/],
    [
      { tasks: { from: 'https://me:pass@example.org/' }, resultsTo: PARTS },
      /^tasks\.from: must be an http\(s\) URL/,
    ],
    [{ tasks: { from: 5 }, resultsTo: PARTS }, /^tasks\.from: must be an http\(s\) URL, not 5/],
    [{ tasks: FILE, resultsTo: PARTS, interactive: true }, /^tasks: an interactive job has none/],
    [{ payload: 'abc' }, /^payload: .*not supported yet/],
    [{ demand: { manifest: 'abc' } }, /^demand\.manifest: .*not supported yet/],
  ])('%j is refused rather than ignored', (part, line) => {
    expect(problems({ ...SMALL, ...part })).toEqual([expect.stringMatching(line)]);
  });

  test.each([
    [{ image: 'what is this' }, /^image: is neither a tag/],
    [{ image: {} }, /^image: names no image/],
    [{ image: { tag: 'a', hash: HASH } }, /^image: names two images/],
    [{ image: { hash: 'abc' } }, /^image\.hash: must be a SHA3-224 hash/],
    [{ image: null }, /^image: must be a tag .* not null/],
    [{ tasks: [] }, /^tasks: has nothing to run/],
    [{ interactive: true }, /^tasks: an interactive job has none/],
    [
      { tasks: Array.from({ length: 501 }, () => 'true') },
      /^tasks: has more than 500 tasks; put them into a file, one a line/,
    ],
    [{ tasks: [{ commands: [] }] }, /^tasks\[0\]\.commands: has no commands/],
    [{ tasks: ['  '] }, /^tasks\[0\]: is blank/],
    [{ tasks: ['a\0b'] }, /^tasks\[0\]: must be a shell line, without NUL/],
    [{ tasks: [{ commands: [{}] }] }, /^tasks\[0\]\.commands\[0\]: does nothing/],
    [{ tasks: [{ name: 'a\u001b[2J', commands: ['x'] }] }, /^tasks\[0\]\.name: .*control character/],
    [{ tasks: [{ vm: 'a\n', commands: ['x'] }] }, /^tasks\[0\]\.vm: .*control character/],
    [
      {
        tasks: [
          { name: 'a', commands: ['x'] },
          { name: 'a', commands: ['x'] },
        ],
      },
      /^tasks\[1\]\.name: "a" is the name of tasks\[0\]/,
    ],
    [
      { tasks: [{ name: 'task-2', commands: ['x'] }, 'x'] },
      /^tasks\[1\]\.name: "task-2" is the name of tasks\[0\]/,
    ],
    [
      { tasks: [{ commands: ['x'], onUncertain: 'retry' }] },
      /^tasks\[0\]\.onUncertain: must be "freshVm", "rerun" or "fail", not "retry"/,
    ],
    [
      { setup: [{ transfer: { from: 'https://a.org/b', to: 'https://a.org/c' } }] },
      /^setup\[0\]\.transfer: goes from URL to URL/,
    ],
    [
      { setup: [{ transfer: { from: 'gftp://a', to: 'input/x' } }] },
      /^setup\[0\]\.transfer\.from: must be an http/,
    ],
    [{ setup: [{ transfer: { from: '/a', to: '/b' }, args: [] }] }, /^setup\[0\]\.args: belongs to run/],
    [{ demand: { subnetTag: 'a)(b=*' } }, /^demand\.subnetTag: must be the name of a subnet/],
    [
      { demand: { minCpuCores: '4' } },
      /^demand\.minCpuCores: must be a whole number of cores from 1 to 10000, not "4"/,
    ],
    [{ demand: [] }, /^demand: must be an object, not a list/],
    [{ providers: { allow: ['0x12'] } }, /^providers\.allow\[0\]: must be a provider id/],
    [
      { providers: { allow: [`0x${'a'.repeat(40)}`], deny: [`0x${'A'.repeat(40)}`] } },
      /^providers\.allow\[0\]: is in providers\.deny too/,
    ],
    [{ outputLimitBytes: 900_000 }, /^outputLimitBytes: with 1 commands at most 600000/],
    [{ notify: {} }, /^notify\.signal: is missing/],
    [
      { budget: { amount: '1', onLow: 'stop' } },
      /^budget\.onLow: must be "finish", "topUp" or "pause", not "stop"/,
    ],
    [{ budget: { amount: '1', onLow: 'topUp' } }, /^budget\.max: is missing; with onLow "topUp"/],
    [{ budget: { amount: '1', max: '2' } }, /^budget\.max: belongs to onLow "topUp"/],
    [{ budget: { amount: '1', onLow: 'pause', max: '2' } }, /^budget\.max: belongs to onLow "topUp"/],
    [
      { budget: { amount: '2', onLow: 'topUp', max: '1.5' } },
      /^budget\.max: is 1\.5, less than the amount of 2/,
    ],
    [{ budget: { amount: '2', onLow: 'topUp', max: 3 } }, /^budget\.max: is a JSON number/],
    [{ budget: { amount: '2', onLow: 'topUp', max: 'NaN' } }, /^budget\.max: must be an amount of GLM/],
  ])('%j is refused', (part, line) => {
    expect(problems({ ...SMALL, ...part })).toContainEqual(expect.stringMatching(line));
  });

  test.each([[undefined], [null], ['a string'], [5], [[]]])('%j is no spec', (input) => {
    expect(problems(input)).toEqual([expect.stringMatching(/^spec: /)]);
  });

  test('a strategy that the worker does not have is told, one it has is taken', () => {
    const spec = { ...SMALL, providers: { select: 'chepest' } };
    expect(problems(spec, { strategies: [] })).toEqual([
      'providers.select: the worker has no strategy of that name, did you mean "cheapest"?',
    ]);
    expect(
      parsed({ ...SMALL, providers: { select: 'nearest' } }, { strategies: ['nearest'] }).providers.select,
    ).toBe('nearest');
  });

  test('a spec too big to travel is refused before anything else', () => {
    expect(problems({ ...SMALL, setup: ['é'.repeat(500_001)] })).toEqual([
      expect.stringMatching(/^spec: is 10000\d\d bytes long/),
    ]);
    expect(problems({ ...SMALL, setup: ['é'.repeat(400_000)] })).toEqual([]);
  });

  test('a spec that refers to itself is refused', () => {
    const circular: Record<string, unknown> = { ...SMALL };
    circular.setup = circular;
    expect(problems(circular)).toEqual([expect.stringMatching(/^spec: is no JSON/)]);
  });

  test('however many there are, the list stays short enough to be sent', () => {
    const unknown = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, 0]));
    const found = problems({ ...SMALL, ...unknown });
    expect(found.join('\n').length).toBeLessThan(41_000);
    expect(found.at(-1)).toBe(`spec: and ${5001 - found.length} more problems`);
    expect(found.length).toBeGreaterThan(100);
  });

  test('keys that are no words are quoted and cut', () => {
    const [line] = problems({ ...SMALL, [`a\n${'b'.repeat(200)}`]: 1 });
    expect(line).toMatch(/^"a\\nb{58}…": unknown key; known are version, image, /);
  });

  test('names from the prototype are unknown keys like any other', () => {
    const found = problems(
      JSON.parse('{"image":"a","budget":"1","tasks":["x"],"__proto__":{},"constructor":1}'),
    );
    expect(found).toContainEqual(expect.stringMatching(/^constructor: unknown key/));
  });
});

describe('money', () => {
  test.each([
    ['0.5', '0.5'],
    ['1000000', '1000000'],
    ['0.000000000000000001', '0.000000000000000001'],
  ])('%s is kept digit by digit', (written, kept) => {
    expect(parsed({ ...SMALL, budget: written }).budget.amount).toBe(kept);
  });

  test.each([
    [0.5, 'budget: is a JSON number, which loses digits of money; write "0.5" in quotes'],
    [
      1e-9,
      'budget: is a JSON number, which loses digits of money; write it as a decimal string such as "0.5"',
    ],
    ['0', 'budget: is 0; nothing runs for nothing, so give more'],
    ['0.000', 'budget: is 0; nothing runs for nothing, so give more'],
  ])('%j as budget is refused', (budget, line) => {
    expect(problems({ ...SMALL, budget })).toEqual([line]);
  });

  test.each([
    ['-1'],
    ['1e3'],
    ['1,5'],
    ['.5'],
    ['1.'],
    [''],
    [' 1'],
    ['0.0000000000000000001'],
    ['NaN'],
    ['Infinity'],
    ['0x10'],
  ])('%j is no amount', (amount) => {
    expect(problems({ ...SMALL, budget: amount })).toEqual([
      expect.stringMatching(/^budget: must be an amount of GLM/),
    ]);
    expect(problems({ ...SMALL, budget: { amount } })).toEqual([
      expect.stringMatching(/^budget\.amount: must be/),
    ]);
    expect(problems({ ...SMALL, pricing: { maxStartPrice: amount } })).toEqual([
      expect.stringMatching(/^pricing\.maxStartPrice: must be/),
    ]);
  });

  test('a price cap of 0 is a cap', () => {
    expect(parsed({ ...SMALL, pricing: { maxStartPrice: '0' } }).pricing).toEqual({ maxStartPrice: '0' });
  });

  test('a price cap given as a number is refused', () => {
    expect(problems({ ...SMALL, pricing: { maxEnvPerHour: 1 } })).toEqual([
      'pricing.maxEnvPerHour: is a JSON number, which loses digits of money; write "1" in quotes',
    ]);
  });
});

describe('duration classes', () => {
  const demand = (fields: object, settings?: SpecSettings) =>
    parsed({ ...SMALL, demand: fields }, settings).demand;
  const refused = (fields: object, settings?: SpecSettings) =>
    problems({ ...SMALL, demand: fields }, settings);
  const promises = (fields: object, settings?: SpecSettings) => {
    const {
      debitNotesAcceptanceTimeoutSec,
      midAgreementDebitNoteIntervalSec,
      midAgreementPaymentTimeoutSec,
    } = demand(fields, settings);
    return [debitNotesAcceptanceTimeoutSec, midAgreementDebitNoteIntervalSec, midAgreementPaymentTimeoutSec];
  };

  test('up to 30 min nothing is promised', () => {
    expect(promises({ expirationSec: 1800 })).toEqual([undefined, undefined, undefined]);
  });

  test('over 30 min debit notes are accepted', () => {
    expect(promises({ expirationSec: 1801 })).toEqual([240, 120, undefined]);
    expect(promises({ expirationSec: 36000 })).toEqual([240, 120, undefined]);
  });

  test('over 10 h payments are made meanwhile', () => {
    expect(promises({ expirationSec: 36001 })).toEqual([240, 120, 43200]);
  });

  test('what the spec says goes before what the class fills in', () => {
    const said = {
      expirationSec: 43200,
      debitNotesAcceptanceTimeoutSec: 60,
      midAgreementDebitNoteIntervalSec: 300,
      midAgreementPaymentTimeoutSec: 7200,
    };
    expect(demand(said)).toMatchObject(said);
  });

  test('promises may be made for a short job too, and payments bring acceptance with them', () => {
    expect(promises({ debitNotesAcceptanceTimeoutSec: 60 })).toEqual([60, undefined, undefined]);
    expect(promises({ midAgreementPaymentTimeoutSec: 600 })).toEqual([240, 120, 600]);
    expect(promises({ debitNotesAcceptanceTimeoutSec: null, midAgreementPaymentTimeoutSec: 0 })).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('under 300 s providers would refuse, and exactly that leaves no time', () => {
    expect(refused({ expirationSec: 299 })).toEqual([
      'demand.expirationSec: 299 s is too short; providers refuse less than 300 s, so set at least that',
    ]);
    expect(refused({ expirationSec: 300 })).toEqual([
      expect.stringMatching(/^demand\.expirationSec: 300 s leave no time/),
    ]);
  });

  test.each([
    [
      { expirationSec: 43200, midAgreementPaymentTimeoutSec: 0 },
      /^demand\.midAgreementPaymentTimeoutSec: is off, but .* over 36000 s/,
    ],
    [
      { expirationSec: 43200, midAgreementPaymentTimeoutSec: null },
      /^demand\.midAgreementPaymentTimeoutSec: is off/,
    ],
    [
      { expirationSec: 7200, debitNotesAcceptanceTimeoutSec: 0 },
      /^demand\.debitNotesAcceptanceTimeoutSec: is off, but .* over 1800 s/,
    ],
    [
      { midAgreementPaymentTimeoutSec: 600, debitNotesAcceptanceTimeoutSec: 0 },
      /is off, but a debit note must be accepted before/,
    ],
    [
      { expirationSec: 7200, debitNotesAcceptanceTimeoutSec: 5 },
      /^demand\.debitNotesAcceptanceTimeoutSec: 5 s is too short/,
    ],
    [
      { expirationSec: 43200, midAgreementPaymentTimeoutSec: 60 },
      /^demand\.midAgreementPaymentTimeoutSec: 60 s is shorter than/,
    ],
  ])('%j contradicts itself', (fields, line) => {
    expect(refused(fields)).toEqual([expect.stringMatching(line)]);
  });

  test('a task must fit into what the expiration leaves, and does by default', () => {
    const tasks = [{ commands: ['x'], timeoutSec: 1501 }];
    expect(problems({ ...SMALL, tasks })).toEqual([
      'tasks[0].timeoutSec: 1501 s is longer than the 1500 s that demand.expirationSec leaves for a task; lower it, raise demand.expirationSec, or give the task a checkpoint',
    ]);
    expect(parsed({ ...SMALL, tasks, demand: { expirationSec: 1801 } }).tasks[0]?.timeoutSec).toBe(1501);
    expect(parsed({ ...SMALL, demand: { expirationSec: 600 } }).tasks[0]?.timeoutSec).toBe(300);
    expect(parsed({ ...SMALL, demand: { expirationSec: 36000 } }).tasks[0]?.timeoutSec).toBe(3600);
  });

  test('the thresholds are settings: 12 hours with every number divided by 360', () => {
    const durationClasses = {
      defaultExpirationSec: 5,
      minExpirationSec: 300 / 360,
      reservedSec: 300 / 360,
      debitNotesOverSec: 5,
      paymentsOverSec: 100,
      debitNotesAcceptanceTimeoutSec: 1,
      midAgreementDebitNoteIntervalSec: 1,
      midAgreementPaymentTimeoutSec: 120,
      minAcceptanceTimeoutSec: 1,
    };
    expect(promises({ expirationSec: 120 }, { durationClasses })).toEqual([1, 1, 120]);
    expect(promises({}, { durationClasses })).toEqual([undefined, undefined, undefined]);
    expect(demand({}, { durationClasses }).expirationSec).toBe(5);
    expect(
      refused({ expirationSec: 120, midAgreementPaymentTimeoutSec: null }, { durationClasses }),
    ).toHaveLength(1);
  });

  test('a threshold that is not set keeps its default', () => {
    expect(demand({}, { durationClasses: { minExpirationSec: undefined } }).expirationSec).toBe(1800);
    expect(
      refused({ expirationSec: 200 }, { durationClasses: { minExpirationSec: undefined } }),
    ).toHaveLength(1);
  });
});

describe('what no worker would take', () => {
  test('is told without one, and what its settings decide is left to the worker', () => {
    for (const spec of [SMALL, FULL]) expect(specProblems(spec)).toEqual([]);
    const demands = [
      { expirationSec: 20 },
      { expirationSec: 90_000, debitNotesAcceptanceTimeoutSec: null },
      { expirationSec: 90_000, midAgreementPaymentTimeoutSec: 60 },
    ];
    for (const demand of demands) expect(specProblems({ ...SMALL, demand })).toEqual([]);
    expect(specProblems({ ...SMALL, tasks: [{ commands: ['a'], timeoutSec: 90_000 }] })).toEqual([]);
    expect(specProblems({ ...SMALL, providers: { select: 'mine' } })).toEqual([]);
    const bad = { ...SMALL, budget: { amount: '0', max: '2' }, tasks: [] };
    const problems = specProblems(bad);
    expect(problems.map(({ problem }) => problem)).toEqual(
      (parseJobSpec(bad) as { problems: string[] }).problems,
    );
    expect(problems.map(({ at }) => at.join('.')).sort()).toEqual(['budget.amount', 'budget.max', 'tasks']);
  });

  test('of a spec for a later version nothing else is told', () => {
    expect(specProblems({ ...SMALL, version: 1 })).toEqual([]);
    expect(specProblems({ version: 2, resources: [], tasks: 7 })).toEqual([
      {
        problem:
          'version: is 2: this golem-temporal knows specs of version 1; use a newer golem-temporal, here and for the worker',
        at: ['version'],
      },
    ]);
    expect(specProblems({ ...SMALL, version: '1' })).toMatchObject([{ at: ['version'] }]);
  });
});

describe('output limits', () => {
  test.each([
    [1, 65536],
    [10, 60000],
    [100, 6000],
    [500, 1200],
  ])('%d commands keep %d bytes of each output by default', (count, bytes) => {
    expect(parsed({ ...SMALL, tasks: Array.from({ length: count }, () => 'true') }).outputLimitBytes).toBe(
      bytes,
    );
  });

  test('never less than 512, and more commands than results fit are refused', () => {
    const tasks = (count: number) =>
      Array.from({ length: 500 }, () => ({ commands: Array.from({ length: count }, () => 'true') }));
    expect(parsed({ ...SMALL, tasks: tasks(3) }).outputLimitBytes).toBe(512);
    expect(problems({ ...SMALL, tasks: tasks(4) })).toEqual([
      expect.stringMatching(/^tasks: have 2000 commands in all/),
    ]);
    expect(problems({ ...SMALL, setup: Array.from({ length: 1501 }, () => 'true') })).toEqual([
      expect.stringMatching(/^setup: has 1501 commands/),
    ]);
  });
});

describe('the JSON Schema', () => {
  test('names every field of the spec, and takes no other', () => {
    const schema = jobSpecJsonSchema();
    expect(schema).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['image', 'budget'],
    });
    expect(Object.keys(schema.properties as object)).toEqual(expect.arrayContaining(Object.keys(FULL)));
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });
});
