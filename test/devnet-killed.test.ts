/**
 * The devnet's process is killed at any moment under load, and started again on the same folder: what it has answered
 * is so, nothing happened twice, and no money came or went. `npm run soak` does it 200 times; DEVNET_SEED repeats a run.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../cli/child-process';
import { requireBuild, startCli } from './support/cli';
import { Comparison, total, type Effect } from './support/devnet-comparison';
import { Ledger, LoadingRequestor, Unexpected } from './support/devnet-load';
import { Requestor } from './support/devnet-requestor';

const KILLS = process.env.SOAK ? 200 : 10;
const LOOPS = 6;
const SEED = Number(process.env.DEVNET_SEED ?? Date.now() % 1_000_000);
const DIE_AT_WRITE = join(__dirname, 'support', 'die-at-write.js');
const PAYMENT = '/payment-api/v1';

let dataDir: string;
let devnet: Child;
let requestor: Requestor;
let seen: Effect[] = [];
const ledger = new Ledger();
const mark = `sleep 4${SEED}.25`;
const random = randomNumbers(SEED);

beforeAll(async () => {
  requireBuild();
  dataDir = await mkdtemp(join(tmpdir(), 'devnet-killed-'));
  const providers = Array.from({ length: 8 }, (_, i) => ({
    name: `p${i}`,
    agreementLimit: 3,
    idleLimitSec: 3600,
    debitNoteIntervalSec: 1,
  }));
  await writeFile(join(dataDir, 'providers.json'), JSON.stringify(providers));
});

afterAll(async () => {
  await devnet?.kill();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

it(
  `what a devnet that was killed ${KILLS} times has answered is so, and nothing happened twice (seed ${SEED})`,
  async () => {
    for (let n = 0; n < KILLS; n++) {
      if (n % 2 === 0) await loadUntilDead(Math.floor(random() * 400));
      else {
        await start();
        await compare();
        await loadUntilKilled();
      }
      await noProcessLeft();
    }
    await start();
    await compare();
    await finish();
  },
  60_000 + KILLS * 6000,
);

async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
  const files = ['--providers', join(dataDir, 'providers.json'), '--data', join(dataDir, 'state')];
  devnet = await startCli(['devnet', '--port', '0', ...files], env);
  const [admin, ready] = await Promise.all([devnet.line(/admin API at/), devnet.line(/devnet ready at/)]);
  const url = (line: string): string => /http:\S+?(?=,|$)/.exec(line)?.[0] ?? '';
  requestor = new Requestor(url(ready), 'try_golem', url(admin));
}

/** Kills it after a while, or at the very moment of some effect. */
async function loadUntilKilled(): Promise<void> {
  const done = load();
  const moment =
    random() < 0.5
      ? delay(100 + random() * 1500)
      : requestor.admin(`/effects?timeout=10&after=${seen.length + Math.floor(random() * 60)}`);
  await Promise.race([moment, done]);
  await devnet.kill();
  await done;
}

/** Starts it so that it dies of itself, perhaps before it is ready: between two of the statements that it writes. */
async function loadUntilDead(dieAtWrite: number): Promise<void> {
  const env = { NODE_OPTIONS: `--require ${DIE_AT_WRITE}`, DIE_AT_WRITE: String(dieAtWrite) };
  const started = await start(env).catch(() => false);
  const done = started === false ? undefined : load();
  await Promise.race([devnet.exited, delay(10_000, undefined, { ref: false })]);
  await devnet.kill();
  await done;
}

/** Requestors at work until the devnet is gone. */
async function load(): Promise<void> {
  const unfinished = ledger.rentals.filter((rental) => rental.released !== 'answered');
  const loops = Array.from({ length: LOOPS }, () =>
    new LoadingRequestor(requestor, ledger, mark).loop(unfinished),
  );
  const ends = await Promise.allSettled(loops);
  for (const end of ends) if (end.status === 'rejected' && end.reason instanceof Unexpected) throw end.reason;
}

/** All effects, after a look at their order: from 1, without gaps, those that were seen before unchanged. */
async function effects(): Promise<Effect[]> {
  const all = (await requestor.admin('/effects')) as Effect[];
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
  expect(all.slice(0, seen.length)).toEqual(seen);
  seen = all;
  return all;
}

/** Compares until nothing has happened meanwhile: its providers go on with what they were at. */
async function compare(): Promise<void> {
  for (;;) {
    const all = await effects();
    const problem = await new Comparison(requestor, ledger).with(all).catch((error: unknown) => error);
    if (problem === undefined) return;
    if ((await effects()).length === all.length) throw problem;
  }
}

/** Everything comes to its end, and what was paid is the sum of the invoices to the last digit. */
async function finish(): Promise<void> {
  const load = new LoadingRequestor(requestor, ledger, mark);
  const unfinished = ledger.rentals.filter((rental) => rental.released !== 'answered');
  await Promise.all(unfinished.map((rental) => load.advance(rental)));
  const accepted = ledger.rentals.flatMap(({ invoice }) => (invoice ? [invoice] : []));
  expect(accepted).toHaveLength(ledger.rentals.length);
  const settled = async (): Promise<number> =>
    ((await requestor.admin('/effects?kind=invoice-settled')) as Effect[]).length;
  for (let last = 0; (await settled()) < accepted.length;) {
    const [effect] = await requestor.admin(`/effects?kind=invoice-settled&timeout=20&after=${last}`);
    last = (effect as Effect).seq;
  }
  expect((await new Comparison(requestor, ledger).money(await effects())).toFixed()).toBe(
    total(accepted.map(({ amount }) => amount)).toFixed(),
  );
  // What was asked for in the last moment before a death, and may have happened, is ours to end.
  for (const { allocationId } of (await requestor.get(`${PAYMENT}/allocations`)).json)
    await requestor.delete(`${PAYMENT}/allocations/${allocationId}`);
  const { counts } = await requestor.admin('/open');
  expect(counts).toMatchObject({ allocations: 0, demands: 0, activities: 0 });
}

async function noProcessLeft(): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (runningWith(mark).length > 0 && Date.now() < deadline) await delay(50);
  expect(runningWith(mark)).toEqual([]);
}

function runningWith(command: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(command);
    } catch {
      return false;
    }
  });
}

/** Numbers from 0 to 1 that follow from a seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
