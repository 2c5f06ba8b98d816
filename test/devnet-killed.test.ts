/**
 * The devnet's process is killed at any moment under load, and started again on the same folder: what it has answered
 * is so, nothing happened twice, and no money came or went. `npm run soak` does it 200 times; DEVNET_SEED repeats a run.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Decimal } from 'decimal.js';
import type { Child } from '../cli/child-process';
import { AGREEMENT_STATES } from '../devnet/market/agreements';
import { requireBuild, startCli } from './support/cli';
import { Ledger, LoadingRequestor, Unexpected } from './support/devnet-load';
import { Requestor } from './support/devnet-requestor';

const KILLS = process.env.SOAK ? 200 : 10;
const LOOPS = 6;
const SEED = Number(process.env.DEVNET_SEED ?? Date.now() % 1_000_000);
const DIE_AT_WRITE = join(__dirname, 'support', 'die-at-write.js');
const [MARKET, PAYMENT] = ['/market-api/v1', '/payment-api/v1'];

interface Effect {
  seq: number;
  kind: string;
  [field: string]: unknown;
}

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
    const problem = await compareWith(all).catch((error: unknown) => error);
    if (problem === undefined) return;
    if ((await effects()).length === all.length) throw problem;
  }
}

async function compareWith(all: Effect[]): Promise<void> {
  const ids = (kind: string, field: string): unknown[] =>
    all.filter((effect) => effect.kind === kind).map((effect) => effect[field]);
  for (const kind of ['allocation-created', 'agreement-created', 'agreement-confirmed', 'activity-created']) {
    const count = all.filter((effect) => effect.kind === kind).length;
    expect([kind, count >= (ledger.answered[kind] ?? 0), count <= (ledger.asked[kind] ?? 0)]).toEqual([
      kind,
      true,
      true,
    ]);
  }
  for (const [kind, field] of [
    ['allocation-released', 'allocationId'],
    ['agreement-approved', 'agreementId'],
    ['agreement-terminated', 'agreementId'],
    ['activity-destroyed', 'activityId'],
    ['invoice-issued', 'agreementId'],
    ['invoice-accepted', 'invoiceId'],
    ['invoice-settled', 'invoiceId'],
    ['debit-note-accepted', 'debitNoteId'],
  ] as const) {
    expect([kind, twice(ids(kind, field))]).toEqual([kind, []]);
  }
  await compareRentals(ids('activity-created', 'activityId'), ids('activity-destroyed', 'activityId'));
  await compareStates(all);
  await compareMoney(all);
}

/** What is, what happened and what was told of it are the same. */
async function compareStates(all: Effect[]): Promise<void> {
  const ids = (kind: string, field: string): unknown[] =>
    all.filter((effect) => effect.kind === kind).map((effect) => effect[field]);
  const states = [...(await agreementStates())];
  const told = await agreementEvents();
  for (const [effect, event, ...reached] of [
    ['agreement-approved', 'AgreementApprovedEvent', 'Approved', 'Terminated'],
    ['agreement-rejected', 'AgreementRejectedEvent', 'Rejected'],
    ['agreement-terminated', 'AgreementTerminatedEvent', 'Terminated'],
  ] as const) {
    const are = states.filter(([, state]) => (reached as string[]).includes(state)).map(([id]) => id);
    const happened = ids(effect, 'agreementId');
    const heard = told.filter((one) => one['eventType'] === event).map((one) => one['agreementId']);
    expect([effect, differences(are, happened), differences(are, heard)]).toEqual([effect, [], []]);
  }
  const live = await liveAllocations();
  const released = ids('allocation-released', 'allocationId');
  const unreleased = ids('allocation-created', 'allocationId').filter((id) => !released.includes(id));
  expect(
    differences(
      live.map((allocation) => allocation['allocationId']),
      unreleased,
    ),
  ).toEqual([]);
  for (const [kind, field] of [
    ['invoice', 'invoiceId'],
    ['debitNote', 'debitNoteId'],
  ] as const) {
    const effect = kind === 'invoice' ? 'invoice' : 'debit-note';
    const list = await documents(`${kind}s`);
    const types = { 'X-Requestor-Events': 'RECEIVED,ACCEPTED' };
    const events = (await requestor.get(`${PAYMENT}/${kind}Events?timeout=0`, types)).json as Record<
      string,
      string
    >[];
    const idsOf = (type: string): unknown[] =>
      events.filter((event) => event['eventType']?.endsWith(`${type}Event`)).map((event) => event[field]);
    const are = list.map((document) => document[field]);
    expect([differences(are, ids(`${effect}-issued`, field)), differences(are, idsOf('Received'))]).toEqual([
      [],
      [],
    ]);
    const accepted = ids(`${effect}-accepted`, field);
    expect(differences(accepted, idsOf('Accepted'))).toEqual([]);
    for (const document of list) {
      if (document['status'] === 'ACCEPTED') expect(accepted).toContain(document[field]);
      if (document['status'] === 'RECEIVED') expect(accepted).not.toContain(document[field]);
    }
  }
  await compareSpending(live);
}

/** What was taken from an allocation is what was accepted with it. */
async function compareSpending(live: Record<string, string>[]): Promise<void> {
  const notes = await documents('debitNotes');
  const invoices = await documents('invoices');
  const accepted = (document: Record<string, string>): boolean =>
    ['ACCEPTED', 'SETTLED'].includes(document['status'] ?? '');
  for (const { allocationId, agreementId } of ledger.rentals) {
    const allocation = live.find((each) => each['allocationId'] === allocationId);
    if (!allocation || agreementId === undefined) continue;
    const of = (list: typeof notes): typeof notes =>
      list.filter((document) => document['agreementId'] === agreementId && accepted(document));
    const amounts = [
      ...of(notes).map((note) => note['totalAmountDue']),
      ...of(invoices).map((one) => one['amount']),
    ];
    const spent = Decimal.max(0, ...amounts.map((amount) => amount ?? '0'));
    expect([allocationId, new Decimal(allocation['spentAmount'] ?? '0').toFixed()]).toEqual([
      allocationId,
      spent.toFixed(),
    ]);
  }
}

async function liveAllocations(): Promise<Record<string, string>[]> {
  return (await requestor.get(`${PAYMENT}/allocations`)).json;
}

async function agreementStates(): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  for (const state of AGREEMENT_STATES) {
    const { json } = await requestor.get(`${MARKET}/agreements?state=${state}`);
    for (const { id } of json as { id: string }[]) states.set(id, state);
  }
  return states;
}

async function agreementEvents(): Promise<Record<string, string>[]> {
  const all: Record<string, string>[] = [];
  for (let after = '2020-01-01T00:00:00Z'; ; after = all.at(-1)?.['eventDate'] ?? after) {
    const path = `${MARKET}/agreementEvents?timeout=0&maxEvents=100&afterTimestamp=${encodeURIComponent(after)}`;
    const page = (await requestor.get(path)).json as Record<string, string>[];
    if (page.length === 0) return all;
    all.push(...page);
  }
}

/** What is in one list only. */
function differences(left: readonly unknown[], right: readonly unknown[]): unknown[] {
  return [...left.filter((id) => !right.includes(id)), ...right.filter((id) => !left.includes(id))];
}

async function compareRentals(created: unknown[], destroyed: unknown[]): Promise<void> {
  // The VMs of the killed daemon are gone, and their providers know it.
  expect(created.filter((id) => !destroyed.includes(id))).toEqual([]);
  const invoices = await documents('invoices');
  const notes = await documents('debitNotes');
  const paid = (list: typeof invoices, field: string, id: string): unknown =>
    list.find((document) => document[field] === id)?.['status'];
  const live = await liveAllocations();
  const states = await agreementStates();
  for (const rental of ledger.rentals) {
    const { allocationId, agreementId, activityId, invoice } = rental;
    if (allocationId && rental.released !== 'asked') {
      const isLive = live.some((allocation) => allocation['allocationId'] === allocationId);
      expect([allocationId, isLive]).toEqual([allocationId, rental.released !== 'answered']);
    }
    if (agreementId) {
      const state = states.get(agreementId);
      if (rental.terminated === 'answered') expect(state).toBe('Terminated');
      else if (rental.approved) expect(['Approved', 'Terminated']).toContain(state);
      else if (rental.confirmed === 'answered') expect(['Pending', 'Approved', 'Rejected']).toContain(state);
      else expect(['Proposal', 'Pending', 'Approved', 'Rejected']).toContain(state);
    }
    // Of those that are over this was seen before.
    if (activityId && rental.released !== 'answered') {
      const { state } = (await requestor.get(`/activity-api/v1/activity/${activityId}/state`)).json;
      expect(state).toEqual(['Terminated', null]);
    }
    if (invoice?.accepted === 'answered')
      expect(['ACCEPTED', 'SETTLED']).toContain(paid(invoices, 'invoiceId', invoice.id));
    for (const [id, { accepted }] of rental.notes) {
      if (accepted === 'answered') expect(['ACCEPTED', 'SETTLED']).toContain(paid(notes, 'debitNoteId', id));
    }
  }
  expect(twice(invoices.map((invoice) => invoice['agreementId']))).toEqual([]);
}

/** Every payment is an effect, and is for what was accepted. */
async function compareMoney(all: Effect[]): Promise<Decimal> {
  const payments = (await requestor.get(`${PAYMENT}/payments?timeout=0&maxEvents=100000`)).json as Record<
    string,
    string
  >[];
  const effects = all.filter(({ kind }) => kind === 'paid');
  const key = (payment: Record<string, unknown>): string =>
    `${String(payment['paymentId'])} ${String(payment['amount'])}`;
  const known = new Set(payments.map(key));
  expect(effects.map(key).filter((one) => !known.has(one))).toEqual([]);
  expect(twice(payments.map((payment) => payment['paymentId']))).toEqual([]);
  const accepted = [...ledger.rentals].flatMap(({ invoice }) => (invoice?.accepted ? [invoice.amount] : []));
  const notes = ledger.rentals.flatMap((rental) =>
    rental.invoice?.accepted
      ? []
      : [Decimal.max(0, ...[...rental.notes.values()].map(({ amount }) => amount)).toFixed()],
  );
  const sum = total(payments.map((payment) => payment['amount'] ?? '0'));
  expect(sum.lte(total([...accepted, ...notes]))).toBe(true);
  return sum;
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
  expect((await compareMoney(await effects())).toFixed()).toBe(
    total(accepted.map(({ amount }) => amount)).toFixed(),
  );
  // What was asked for in the last moment before a death, and may have happened, is ours to end.
  for (const { allocationId } of (await requestor.get(`${PAYMENT}/allocations`)).json)
    await requestor.delete(`${PAYMENT}/allocations/${allocationId}`);
  const { counts } = await requestor.admin('/open');
  expect(counts).toMatchObject({ allocations: 0, demands: 0, activities: 0 });
}

async function documents(kind: 'invoices' | 'debitNotes'): Promise<Record<string, string>[]> {
  return (await requestor.get(`${PAYMENT}/${kind}`)).json;
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

function twice(list: readonly unknown[]): unknown[] {
  const once = new Set<unknown>();
  return list.filter((item) => once.has(item) || !once.add(item));
}

function total(amounts: readonly string[]): Decimal {
  const Wide = Decimal.clone({ precision: 60 });
  return amounts.reduce<Decimal>((sum, amount) => sum.plus(amount), new Wide(0));
}

/** Numbers from 0 to 1 that follow from a seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
