/**
 * Very many rentals in which nothing happens, on one worker: what it needs for them, what it asks yagna meanwhile, and what it costs
 * in Temporal's own currency.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fewAtATime } from '../model/few-at-a-time';
import { settlementId } from '../model/ids';
import { TemporalProxy } from '../test/chaos/temporal-proxy';
import { eventMs, runsOfJob } from '../test/support/runs';
import type { BenchWorld } from './bench-world';
import { CountingProxy } from './counting-proxy';
import { cpuSeconds, memoryMib } from './process-figures';
import type { Row } from './row';
import { inWorld, type Setting } from './setting';
import { median } from './statistics';

/** No note comes while it is measured, and no agreement ends. */
const DEMAND = { expirationSec: 6 * 3600, midAgreementDebitNoteIntervalSec: 6 * 3600 };
/** So little that a wallet of the devnet has it for a thousand. */
const BUDGET = '0.5';
const SPEC = { image: 'golem/alpine:latest', budget: BUDGET, demand: DEMAND };
const AT_ONCE = 10;
/** Watches beat once in this time, or twice: so many heartbeats come in it whenever it begins. */
const PERIOD_SEC = 96;
/** So many the memory of each is judged by. */
const MANY = 1000;
const PROVIDERS = 50;
/** After the last of them is up, until all is quiet. */
const QUIET_MS = 3000;
/** Into so many the time in which they are watched is parted, each of which is measured. */
const PARTS = 3;
/** Histories that are read. */
const SAMPLE = 20;

export async function idleRentals(setting: Setting): Promise<Row[]> {
  const [rentals, windowSec] = setting.quick
    ? [5, 5]
    : setting.long
      ? [MANY, 3 * PERIOD_SEC]
      : [100, PERIOD_SEC];
  const [yagna, temporal] = [new CountingProxy(), new TemporalProxy()];
  try {
    return await inWorld(
      setting,
      {
        ...{ latency: 'none', providers: PROVIDERS },
        // Each has room for all, so that no job is refused and tries again.
        provider: { agreementLimit: rentals, debitNoteIntervalSec: 6 * 3600 },
        preload: join(__dirname, 'collect-garbage.js'),
        seen: { yagna: (url) => yagna.start(url), temporal: (address) => temporal.start(address) },
      },
      (world) => measure(world, { yagna, temporal }, rentals, windowSec, setting.tell),
    );
  } finally {
    await yagna.close();
    await temporal.close();
  }
}

async function measure(
  world: BenchWorld,
  { yagna, temporal }: { yagna: CountingProxy; temporal: TemporalProxy },
  rentals: number,
  windowSec: number,
  tell: (line: string) => void,
): Promise<Row[]> {
  const { pid } = world.worker;
  // The worker with none is as warm as with them.
  const first = await rentAll(world, Math.min(AT_ONCE, rentals));
  await Promise.all(
    first.map(async ({ jobId }) => {
      await world.golem.terminate(jobId);
      await world.golem.settled(jobId);
    }),
  );
  const emptyMib = await settledMib(pid);

  const began = performance.now();
  const rented = await rentAll(world, rentals);
  const jobs = rented.map(({ jobId }) => jobId);
  const startSec = Math.round((performance.now() - began) / 1000);
  tell(`${rentals} rentals are up after ${startSec} s`);
  await delay(QUIET_MS);
  const fullMib = await settledMib(pid);

  let heartbeats = 0;
  temporal.onCall = (method) => void (heartbeats += Number(method === 'RecordActivityTaskHeartbeat'));
  for (const count of yagna.waiting.values()) count.most = count.now;
  const seen = (): Seen => ({
    requests: yagna.requests,
    cpuSec: cpuSeconds(pid),
    heartbeats,
    at: Date.now(),
  });
  const looks = [seen()];
  for (let part = 0; part < PARTS; part++) {
    await delay((windowSec * 1000) / PARTS);
    looks.push(seen());
  }
  const [before, after] = [looks[0], looks.at(-1)] as [Seen, Seen];
  const sec = (after.at - before.at) / 1000;
  const streams = [...yagna.waiting].filter(([path]) => /(agreement|debitNote|invoice)Events$/.test(path));
  if (streams.length < 3) throw new Error('the worker holds no long poll of some event stream');
  // In less than a period some have none, and others one.
  const beatsIn = windowSec / PARTS < PERIOD_SEC ? [before, after] : looks;
  const beats = perSecond(beatsIn, (look) => look.heartbeats).map((each) => (each / rentals) * 3600);
  const mib = [fullMib, await settledMib(pid)];

  const sample = jobs.slice(0, SAMPLE);
  const happened = await Promise.all(sample.map((jobId) => actionsIn(world, jobId, before.at, after.at)));
  const anHour = (count: (each: Actions) => number): number =>
    (happened.reduce((sum, each) => sum + count(each), 0) / sample.length / sec) * 3600;
  await proveAlive(world, rented);
  await world.worker.kill();
  await Promise.all(rented.map((each) => end(world, each)));

  const name = `${rentals} idle rentals`;
  const note = `Of ${rentals} jobs with one rental each, up after ${startSec} s; over ${windowSec} s, scaled to an hour where it says so.`;
  const reckoned = `Reckoned from ${windowSec} s; nothing else is due in an hour without a debit note.`;
  const rows: Row[] = [
    {
      ...{ measure: `${name}: memory each`, unit: 'MB', note },
      // With fewer, what the worker needs once, and the workflows that it has cached, are most of it.
      ...(rentals >= MANY && { toReach: { atMost: 0.3 } }),
      ours: mib.map((each) => ((each - emptyMib) * 1.048576) / rentals),
    },
    {
      ...{ measure: `${name}: CPU`, unit: '% of a core', toReach: { atMost: 10 } },
      ours: perSecond(looks, ({ cpuSec }) => cpuSec * 100),
    },
    {
      ...{ measure: `${name}: requests to yagna`, unit: '/s' },
      ours: perSecond(looks, ({ requests }) => requests),
      note: `Each VM's state is looked at now and then, which nothing tells of.`,
    },
    {
      ...{ measure: `${name}: long polls of an event stream, at most`, unit: 'each', toReach: { atMost: 2 } },
      ours: [Math.max(...streams.map(([, { most }]) => most))],
    },
    {
      ...{ measure: 'activities an idle hour of a rental', unit: 'each', toReach: { atMost: 4 } },
      ...{ ours: [anHour(({ activities }) => activities)], note: reckoned },
    },
  ];
  if (windowSec < PERIOD_SEC) return rows;
  return [
    ...rows,
    {
      ...{ measure: 'Temporal actions an idle hour of a rental', unit: 'each', toReach: { atMost: 150 } },
      ours: beats.map((each) => each + anHour(({ all }) => all)),
      note: `${reckoned} ${Math.round(median(beats))} of them are heartbeats.`,
    },
  ];
}

/** What was counted until then. */
interface Seen {
  requests: number;
  cpuSec: number;
  heartbeats: number;
  /** Milliseconds since the epoch. */
  at: number;
}

/** What was counted in a second between each look and the next. */
function perSecond(looks: readonly Seen[], counted: (look: Seen) => number): number[] {
  return looks.slice(1).map((look, i) => {
    const last = looks[i] as Seen;
    return (counted(look) - counted(last)) / ((look.at - last.at) / 1000);
  });
}

/** Collects garbage, twice: what the first one frees may hold what the second one does. */
async function settledMib(pid: number): Promise<number> {
  for (let n = 0; n < 2; n++) {
    process.kill(pid, 'SIGPWR');
    await delay(1000);
  }
  return memoryMib(pid);
}

interface Rented {
  jobId: string;
  rentalId: string;
}

async function rentAll({ golem }: BenchWorld, count: number): Promise<Rented[]> {
  const renting: Promise<Rented>[] = [];
  const rent = (): Promise<Rented> => {
    const one = golem.rent(SPEC);
    renting.push(one);
    return one;
  };
  try {
    return await fewAtATime(Array.from({ length: count }), AT_ONCE, rent);
  } finally {
    // One that fails must not hide behind what others do in a world that is being closed.
    await Promise.allSettled(renting);
  }
}

interface Actions {
  activities: number;
  all: number;
}

/** Events that are billed as actions, or are begun by what is: https://docs.temporal.io/cloud/actions */
const ACTIONS = [
  'activityTaskScheduledEventAttributes',
  'timerStartedEventAttributes',
  'workflowExecutionStartedEventAttributes',
  'workflowExecutionSignaledEventAttributes',
  'workflowExecutionUpdateAcceptedEventAttributes',
  'startChildWorkflowExecutionInitiatedEventAttributes',
  'signalExternalWorkflowExecutionInitiatedEventAttributes',
  'upsertWorkflowSearchAttributesEventAttributes',
  'markerRecordedEventAttributes',
] as const;

async function actionsIn(
  world: BenchWorld,
  jobId: string,
  fromMs: number,
  untilMs: number,
): Promise<Actions> {
  const runs = await runsOfJob(world, jobId);
  const events = runs
    .flatMap(({ history }) => history.events)
    .filter((event) => eventMs(event) >= fromMs && eventMs(event) <= untilMs);
  return {
    activities: events.filter((event) => event.activityTaskScheduledEventAttributes).length,
    all: events.filter((event) => ACTIONS.some((kind) => event[kind])).length,
  };
}

/** All of them are there, and one that is spoken to answers. */
async function proveAlive({ golem, devnet }: BenchWorld, rented: readonly Rented[]): Promise<void> {
  const { counts } = await devnet.admin<{ counts: { activities: number } }>('/open');
  if (counts.activities !== rented.length)
    throw new Error(`${counts.activities} of ${rented.length} VMs are there`);
  const { results } = await golem.exec(rented[0]?.rentalId ?? '', ['echo alive']);
  if (results[0]?.stdout !== 'alive\n') throw new Error('a rental does not answer');
}

/** At once, and with nobody there to see to it: the world ends with the measure. */
async function end({ client }: BenchWorld, { jobId, rentalId }: Rented): Promise<void> {
  for (const workflowId of [jobId, rentalId, settlementId(jobId)])
    await client.workflow.getHandle(workflowId).terminate('the bench is over');
}
