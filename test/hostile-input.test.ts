/**
 * What comes from outside may be anything: specs, Updates, signals and queries of strangers, answers of a yagna that is
 * broken. Each ends in a normal answer or a failure by its name; nothing gets stuck, dies or is left to reject by itself.
 * 500 cases in all, 10,000 with SOAK=1; a case that fails prints the seed and path that repeat it.
 */
import { MockActivityEnvironment } from '@temporalio/testing';
import { CancelledFailure, TemporalFailure, type ApplicationFailure } from '@temporalio/common';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger } from '@temporalio/worker';
import fc from 'fast-check';
import { createGolemActivities, type GolemActivities } from '../activities';
import { Connections } from '../activities/yagna';
import { FAILURES } from '../model/failures';
import { parseJobSpec } from '../model/spec';
import {
  recording,
  respond,
  startFakeYagna,
  type FakeYagna,
  type SeenRequest,
} from './support/recorded-yagna';
import { expectAllPaidOnce, now } from './support/proof';
import { startWorld } from './support/world';

const SOAK = process.env.SOAK === '1';
const runs = (usual: number): number => (SOAK ? usual * 20 : usual);
const TIME = SOAK ? 3_600_000 : 120_000;

/** What nobody expects. */
const hostile = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, '', ' ', 'NaN', 'Infinity', '-1', '1e400', '1e-400', '0x10', '9'.repeat(400), 'Unknown'],
    ...[0, -1, 0.5, 1e308, -1e308, Number.MAX_SAFE_INTEGER, '9999-12-31T23:59:59Z', '1970-01-01T00:00:00Z'],
    ...[[], {}, [[]], [null], { message: {} }, '\u0000\u202e\ud800', '../../etc/passwd', '$' + '{x}'],
    ...['x'.repeat(1_000_000), Array.from({ length: 3000 }, () => ''), nested(1000)],
    JSON.parse('{ "__proto__": { "polluted": true }, "constructor": { "prototype": { "polluted": true } } }'),
  ),
  fc.jsonValue({ maxDepth: 3 }),
  fc.string(),
  fc.double(),
);

function nested(depth: number): unknown {
  let value: unknown = 'deep';
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** Puts something at a place of a JSON value, takes it away, or adds it. */
interface Change {
  place: number;
  how: 'replace' | 'delete' | 'add' | 'double';
  by: unknown;
}
const change: fc.Arbitrary<Change> = fc.record({
  place: fc.nat(10_000),
  how: fc.constantFrom('replace', 'replace', 'delete', 'add', 'double'),
  by: hostile,
});

function changed(value: unknown, { place, how, by }: Change): unknown {
  const copy = structuredClone(value);
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const find = (holder: unknown, depth: number): void => {
    if (typeof holder !== 'object' || holder === null || depth > 8) return;
    for (const key of Object.keys(holder)) {
      places.push({ holder: holder as Record<string, unknown>, key });
      find((holder as Record<string, unknown>)[key], depth + 1);
    }
  };
  find(copy, 0);
  const at = places[place % (places.length + 1)];
  if (!at) return how === 'double' ? [copy, copy] : by;
  const { holder, key } = at;
  if (how === 'delete') delete holder[key];
  else if (how === 'add') holder[`${key}_`] = by;
  else holder[key] = how === 'double' ? [holder[key], holder[key]] : by;
  return copy;
}

const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => process.on('unhandledRejection', onRejection));
afterAll(() => process.off('unhandledRejection', onRejection));
afterEach(() => {
  expect(rejections).toEqual([]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

/** Runs an activity until it ends, or waits for something; what waits is cancelled. */
async function outcome(
  env: { fake: FakeYagna },
  name: keyof GolemActivities,
  input: unknown,
): Promise<{ value?: unknown; failed?: unknown }> {
  const activities = createGolemActivities({
    connections: new Connections({ YAGNA_APPKEY: 'app-key', YAGNA_API_URL: env.fake.url }),
    ...{ specSettings: {}, strategies: {}, registryUrl: env.fake.url, owner: 'owner' },
  });
  const environment = new MockActivityEnvironment({ attempt: 2 }, { logger: new DefaultLogger('ERROR') });
  env.fake.requests.length = 0;
  let over = false;
  const running = environment
    .run(activities[name] as (input: unknown) => Promise<unknown>, input)
    .then(
      (value) => ({ value }),
      (failed: unknown) => ({ failed }),
    )
    .finally(() => (over = true));
  for (let seen = -1; !over && seen !== env.fake.requests.length;) {
    seen = env.fake.requests.length;
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 60))]);
  }
  if (!over) environment.cancel('WORKER_SHUTDOWN');
  return await running;
}

/** A result that Temporal can carry, or a failure with a name of ours. */
function expectNamed({ value, failed }: { value?: unknown; failed?: unknown }): void {
  if (failed === undefined) {
    expect(JSON.stringify(value ?? null).length).toBeLessThan(2_000_000);
    return;
  }
  if (failed instanceof CancelledFailure) return;
  if (!(failed instanceof TemporalFailure)) throw failed;
  const { type, message, details } = failed as ApplicationFailure;
  if (type === 'Error' || !Object.hasOwn(FAILURES, type ?? '')) throw failed;
  expect(message.length + JSON.stringify(details ?? []).length).toBeLessThan(100_000);
}

describe('a spec', () => {
  const SPEC = {
    image: { tag: 'golem/alpine:latest' },
    budget: { amount: '5', network: 'holesky', driver: 'erc20', onLow: 'finish' },
    demand: { subnetTag: 'public', expirationSec: 3600, minCpuCores: 4, minMemGib: 8, capabilities: ['vpn'] },
    pricing: { maxStartPrice: '0.1', maxCpuPerHour: '0.5', maxEnvPerHour: '0.2' },
    providers: { max: 8, deny: ['0x0000000000000000000000000000000000000001'], select: 'cheapest' },
    setup: [{ transfer: { from: 'http://127.0.0.1/scene', to: '/golem/input/scene' } }],
    tasks: [
      {
        name: 'frame-1',
        vm: 'one',
        commands: [{ run: 'render.sh', args: ['1'] }],
        timeoutSec: 60,
        maxAttempts: 5,
      },
      'echo hello',
    ],
  };
  let fake: FakeYagna;
  beforeAll(async () => {
    fake = await startFakeYagna();
    fake.answer = ({ path }, response) => {
      if (path === '/version/get') return respond(response, 200, { current: { version: '0.17.6' } });
      if (path === '/me') return respond(response, 200, { identity: '0x1', name: 'me' });
      respond(response, 200, { sha3: 'a'.repeat(56), http: 'http://127.0.0.1/image' });
    };
  });
  afterAll(() => fake.close());

  test(
    'whatever it is, is taken or refused by name',
    async () => {
      const spec = fc.oneof(
        { weight: 1, arbitrary: hostile },
        {
          weight: 4,
          arbitrary: fc
            .array(change, { minLength: 1, maxLength: 3 })
            .map((changes) => changes.reduce<unknown>((value, each) => changed(value, each), SPEC)),
        },
      );
      await fc.assert(
        fc.asyncProperty(spec, async (given) => {
          expectNamed(await outcome({ fake }, 'golemPrepareJob', { spec: given }));
        }),
        { numRuns: runs(150) },
      );
    },
    TIME,
  );
});

describe('an answer of yagna', () => {
  /** Bodies of a real yagna by call. */
  const bodies = new Map<string, unknown[]>();
  const callOf = ({ method, path }: Pick<SeenRequest, 'method' | 'path'>): string =>
    `${method} ${path.replace(/\/[\w-]{20,}/g, '/*')}`;
  /** As if it were of the job: what bears no mark of ours is left alone. */
  const marked = (body: unknown): unknown =>
    JSON.parse(
      JSON.stringify(body).replaceAll(
        '"properties":{',
        '"properties":{"golem.temporal.mark":"owner/uuid/1",',
      ),
    );
  beforeAll(() => {
    for (const name of [
      ...['a1_auth_version_identity_net', 'a2_allocations', 'b1_market_demands', 'b2_proposals_agreements'],
      ...[
        'c1_full_flow',
        'c2_debit_notes',
        'c3_invoice_payment',
        'd1_golemjs_oneOf',
        'g3_agreement_expiration',
      ],
    ]) {
      for (const { method, path, status, responseBody } of recording(name)) {
        if (status >= 300 || responseBody === undefined || responseBody === null) continue;
        const call = callOf({ method, path });
        bodies.set(call, [...(bodies.get(call) ?? []), marked(responseBody)]);
      }
    }
  });

  /** As long as one of yagna's. */
  const id = (of: string): string => of.padEnd(32, '0');
  const JOB = { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' };
  const LATER = Date.parse('2100-01-01T00:00:00Z');
  const IDS = { agreementId: id('agreement'), activityId: id('activity') };
  const PROVIDER = { id: '0x1', name: 'one' };
  const DEMAND = { demandId: id('demand'), n: 1, expiresAtMs: LATER };
  const AT = '2026-01-01T00:00:00Z';
  const SUMMARY = {
    proposalId: 'p-1',
    provider: PROVIDER,
    cpuThreads: 1,
    pricePerHour: '1',
    startPrice: '0',
  };
  const parsed = parseJobSpec({ image: 'golem/alpine:latest', budget: '1', tasks: ['true'] });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const { demand, pricing, providers } = parsed.spec;
  const market = {
    ...{ image: { taskPackage: 'hash:sha3:0:http://x', label: 'x' }, pricing, providers },
    demand: { ...demand, offerFetchingIntervalSec: 1, proposalTimeoutSec: 1 },
  };
  const document = (kind: 'invoice' | 'debitNote') => ({
    ...{ job: JOB, document: { kind, id: id('document'), eventDate: AT }, allocationId: id('allocation') },
    ...{ tolerance: parsed.spec.tolerance, ledger: {} },
  });
  // One that is added does not compile without its input here. Left out is what asks no yagna, or Temporal as well.
  type Asking = Exclude<
    keyof GolemActivities,
    | 'golemAvoidProvider'
    | 'golemFindOrphans'
    | 'golemVerifyControl'
    | 'golemWatchWorkflows'
    | 'golemReadTasks'
    | 'golemWriteResults'
    | 'golemResolveAttach'
    | 'golemDescribeDetach'
  >;
  const inputsOf: { [Name in Asking]: Parameters<GolemActivities[Name]>[0][] } = {
    golemPrepareJob: [{ spec: { image: 'golem/alpine:latest', budget: '1', tasks: ['true'] } }],
    golemReserveAllocation: [
      { job: JOB, amount: '1', platform: 'erc20-holesky-tglm', endsAtSec: 4_000_000_000 },
    ],
    golemAmendAllocation: [
      {
        ...{ job: JOB, allocationId: id('allocation'), total: '2', endsAtSec: 4_000_000_000 },
        ...{ lastsUntilSec: 4_000_000_000, endsAtSecs: [4_000_000_000] },
      },
    ],
    golemReleaseAllocation: [{ job: JOB, endsAtSecs: [4_000_000_000] }],
    golemNegotiate: [
      {
        ...{ job: JOB, allocationId: id('allocation'), platform: 'erc20-holesky-tglm', demand: DEMAND },
        ...{ nextDemandNumber: 2, wanted: 1, leftOver: [SUMMARY], unanswered: [] },
        ...{ avoid: [], brokeFaith: [], forgivable: [], renew: false, spec: market },
      },
    ],
    golemUnsubscribeDemands: [{ job: JOB }],
    golemSignAgreement: [
      { job: JOB, proposal: { ...SUMMARY, demand: DEMAND }, validTo: new Date(LATER).toISOString() },
    ],
    golemCreateVm: [
      { job: JOB, agreementId: id('agreement'), provider: PROVIDER, validToMs: LATER, ended: [] },
    ],
    golemSendScript: [{ job: JOB, ...IDS, commands: [{ deploy: true }, { run: 'true' }] }],
    golemWatchScript: [
      {
        ...{ job: JOB, ...IDS, batchId: id('batch'), commandCount: 2 },
        ...{ deadlineMs: LATER, outputLimitBytes: 65_536 },
      },
    ],
    golemWatchRental: [{ job: JOB, ...IDS, validToMs: LATER }],
    golemDestroyVm: [{ job: JOB, ...IDS }],
    golemCloseRental: [{ job: JOB, agreementId: id('agreement'), reason: { message: 'over' } }],
    golemWatchSettlement: [
      {
        ...{ job: JOB, cursor: { debitNotes: AT, invoices: AT }, owners: 'none', closedRentals: 0 },
        awaitingPayment: [id('invoice')],
      },
      {
        ...{ job: { ...JOB, agreements: [id('agreement')] }, cursor: { debitNotes: AT, invoices: AT } },
        ...{ awaitingPayment: [], owners: 'none', closedRentals: 0, detached: [id('agreement')] },
      },
    ],
    golemDecideDocument: [document('invoice'), document('debitNote')],
    golemScanMarket: [
      {
        ...{ job: JOB, scanSec: 0.05 },
        spec: {
          ...parsed.spec,
          ...market,
          budget: { ...parsed.spec.budget, payer: undefined },
          groups: [1],
          tasksInFile: 0,
        },
      },
    ],
    golemInspectYagna: [{}],
    golemCleanUp: [
      { job: JOB, since: AT },
      { job: JOB, since: AT, keep: [id('agreement')] },
    ],
  };
  const inputs = Object.entries(inputsOf).flatMap(([name, each]) =>
    each.map((input): [Asking, unknown] => [name as Asking, input]),
  );

  interface Answer {
    pick: number;
    changes: Change[];
    status: number;
    form: 'json' | 'broken' | 'text' | 'html' | 'empty';
  }
  const good = fc.record<Answer>({
    ...{ pick: fc.nat(1000), changes: fc.constant([]), status: fc.constant(200), form: fc.constant('json') },
  });
  const bad = fc.record<Answer>({
    pick: fc.nat(1000),
    changes: fc.array(change, { maxLength: 2 }),
    status: fc.oneof(
      { weight: 6, arbitrary: fc.constant(200) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          ...[201, 204, 302, 400, 401, 403, 404, 408, 409, 410, 418, 500, 501, 503, 504],
        ),
      },
    ),
    form: fc.constantFrom('json', 'json', 'json', 'json', 'json', 'broken', 'text', 'html', 'empty'),
  });
  const answer = fc.oneof(good, good, bad);

  let fake: FakeYagna;
  beforeAll(async () => {
    fake = await startFakeYagna();
  });
  afterAll(() => fake.close());

  test(
    'whatever it is, is read or refused by name, after few requests',
    async () => {
      const each = fc.tuple(fc.constantFrom(...inputs), fc.array(answer, { minLength: 1, maxLength: 8 }));
      await fc.assert(
        fc.asyncProperty(each, async ([[name, input], answers]) => {
          let asked = 0;
          fake.answer = (request, response) => {
            const { pick, changes, status, form } = answers[asked++ % answers.length] as Answer;
            const known = bodies.get(callOf(request)) ?? [{}, [], 'an-id', null];
            const body = changes.reduce<unknown>(
              (value, next) => changed(value, next),
              known[pick % known.length],
            );
            const text = JSON.stringify(body) ?? '';
            const type = { html: 'text/html', text: 'text/plain' }[form as string] ?? 'application/json';
            const sent = { broken: text.slice(0, -1) + '{', empty: '', html: `<html>${text}</html>` }[
              form as string
            ];
            response.writeHead(status, { 'content-type': type });
            response.end(status === 204 ? undefined : (sent ?? text));
          };
          expectNamed(await outcome({ fake }, name, input));
          expect(asked).toBeLessThan(500);
        }),
        { numRuns: runs(300) },
      );
    },
    TIME,
  );
});

test(
  'Updates, signals and queries of strangers neither stop a job nor harm it',
  async () => {
    const world = await startWorld({ devnet: { paymentCycleSec: 0.1, providers: [{ name: 'one' }] } });
    const began = await now(world);
    const { jobId } = await world.golem.startJob({
      ...{ image: 'golem/alpine:latest', budget: '1', interactive: true },
    });
    await world.effect('activity-created', began);
    const handles = [jobId, `${jobId}/rental/1`, `${jobId}/settlement`].map((id) =>
      world.client.workflow.getHandle(id),
    );
    const SIGNALS = [
      'golemAssignment',
      'golemCloseRental',
      'golemAssignmentOutcome',
      'golemRentalUpdate',
      'golemSettlementUpdate',
      'golemReservation',
      'golemOwnerClosed',
      'golemAttached',
      'nobodyKnows',
    ];
    const { runId: jobUuid } = await world.client.workflow.getHandle(jobId).describe();
    const money = { budget: '1', reserved: '1', accepted: '0', paid: '0', platform: 'p' };
    const PROVIDER = { id: '0x1', name: 'nobody' };
    const LONG_AMOUNT = `0.${'0'.repeat(59)}1`;
    /** About what the settlement itself has told until then. */
    const NEWEST = 3;
    // As the settlement's own, with amounts as long as others write them; the later ones are believed.
    const update = fc
      .record({ seq: fc.integer({ min: -1, max: NEWEST }), accepted: fc.constantFrom('0', LONG_AMOUNT) })
      .map(({ seq, accepted }) => ({
        ...{ jobUuid, seq, phase: 'open', money: { ...money, accepted } },
        ...{ refusedProviders: [{ provider: PROVIDER, reason: 'x' }] },
        ...{ reservations: [{ id: 'nobody-asked', reserved: '1', budget: '1' }] },
        bills: { open: [{ agreementId: 'a', accepted }], invoiced: [] },
      }));
    const anything = fc.oneof(
      hostile,
      update,
      fc.tuple(update, change).map(([each, how]) => changed(each, how)),
      change.map((each) => changed({ id: 'x', kind: 'check', amount: '0' }, each)),
      change.map((each) => changed({ amount: '-1' }, each)),
      change.map((each) => changed({ scriptId: 'script-1', waitSec: 0.01 }, each)),
      change.map((each) => changed({ commands: ['true'], timeoutSec: 5, onUncertain: 'fail' }, each)),
      change.map((each) => changed({ rental: 1, seq: -1, state: 'signing', reason: 'x' }, each)),
      change.map((each) => changed({ after: 0, limit: 5 }, each)),
    );
    const knock = fc.record({
      at: fc.nat(2),
      how: fc.oneof(
        fc.constantFrom(
          ...[
            'query events',
            'update executeScript',
            'update scriptResult',
            'update terminate',
            'update topUp',
          ],
        ),
        fc.constantFrom(...SIGNALS.map((name) => `signal ${name}`)),
      ),
      input: anything,
    });
    const isHarmless = (how: string, input: unknown): boolean => {
      // What is as it should be does what it should, and a script that is sent runs.
      const { reason, commands, seq } = Object(input) as Record<string, unknown>;
      if (how === 'update terminate') return typeof input === 'number' || typeof input === 'string';
      // Whoever claims to be much newer than the settlement silences it.
      if (how === 'signal golemSettlementUpdate') return typeof seq !== 'number' || seq <= NEWEST;
      if (how === 'signal golemCloseRental') return typeof reason !== 'string';
      return how !== 'update executeScript' || commands === undefined || !Array.isArray(commands);
    };
    const at = async (handle: WorkflowHandle, how: string, input: unknown): Promise<void> => {
      const [kind, name = ''] = how.split(' ');
      try {
        if (kind === 'signal') await handle.signal(name, input);
        else if (kind === 'query') await handle.query(name, input);
        else await handle.executeUpdate(name, { args: [input] });
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError) return;
        // gRPC's and Temporal's own words for an Update, a query or a payload that there is none of.
        if (
          !/not found|unknown|limit|larger|size|Query|query|register/i.test(
            String(error) + String((error as Error).cause),
          )
        )
          throw error;
      }
    };
    await fc.assert(
      fc.asyncProperty(knock, async ({ at: which, how, input }) => {
        fc.pre(isHarmless(how, input));
        await at(handles[which] as WorkflowHandle, how, input);
      }),
      {
        numRuns: runs(50),
        // Each of these would have stopped its workflow for good.
        examples: [
          [{ at: 0, how: 'signal golemSettlementUpdate', input: null }],
          [
            {
              ...{ at: 0, how: 'signal golemSettlementUpdate' },
              input: {
                ...{ jobUuid, seq: NEWEST, phase: 'open', refusedProviders: [], reservations: [] },
                money: { ...money, accepted: LONG_AMOUNT },
                bills: { open: [{ agreementId: 'a', accepted: LONG_AMOUNT }], invoiced: [] },
              },
            },
          ],
          [{ at: 0, how: 'signal golemRentalUpdate', input: null }],
          [{ at: 0, how: 'signal golemAssignmentOutcome', input: { rental: 1 } }],
          [{ at: 1, how: 'signal golemAssignment', input: null }],
          [{ at: 2, how: 'signal golemOwnerClosed', input: null }],
          [{ at: 1, how: 'update scriptResult', input: null }],
          [{ at: 1, how: 'update scriptResult', input: { scriptId: 'script-1', waitSec: 'NaN' } }],
        ],
      },
    );
    // It answers, takes scripts, and ends well.
    const rental = world.client.workflow.getHandle(`${jobId}/rental/1`);
    const { scriptId } = await rental.executeUpdate<{ scriptId: string }, [unknown]>('executeScript', {
      args: [{ commands: ['echo still here'] }],
    });
    await expect(rental.executeUpdate('scriptResult', { args: [{ scriptId }] })).resolves.toMatchObject({
      ...{ state: 'done', results: [{ stdout: 'still here\n' }] },
    });
    await world.client.workflow.getHandle(jobId).executeUpdate('terminate');
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
    expect(world.worker.running).toBe(true);
    await world.close();
  },
  TIME,
);
