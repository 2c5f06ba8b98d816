/** The devnet's state on disk: bounded by what is open and a time, not by how much has happened. */
import { mkdtemp, rm } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Libsql from 'libsql';
import { startDevnet, type Devnet } from '../devnet';
import { Amount } from '../devnet/payment/amounts';
import { PLATFORM, Requestor } from './support/devnet-requestor';

const [MARKET, PAYMENT, ACTIVITY] = ['/market-api/v1', '/payment-api/v1', '/activity-api/v1/activity'];
/** Tables that say who holds and paid what. */
const KEPT = /^(account|wallet|ledger|transfer|identity)/;
const RETENTION_SEC = 0.5;

let dataDir: string;
let devnet: Devnet;
let requestor: Requestor;

async function start(retentionSec?: number): Promise<void> {
  const providers = [{ name: 'one', agreementLimit: 5 }];
  devnet = await startDevnet({ dataDir, paymentCycleSec: 0, providers, retentionSec });
  requestor = new Requestor(devnet.url, devnet.appKey, devnet.adminUrl);
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'devnet-retention-'));
});
afterEach(async () => {
  await devnet.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function ended(session: string): Promise<{ agreementId: string; invoiceId: string; amount: string }> {
  const agreementId = await requestor.rent(session);
  const activityId = await requestor.createActivity(agreementId);
  const run = {
    run: { entry_point: '/bin/sh', args: ['-c', 'echo out'], capture: { stdout: { stream: {} } } },
  };
  const text = JSON.stringify([{ deploy: {} }, { start: {} }, run]);
  const { json: batchId } = await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text });
  await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}?timeout=20`);
  await requestor.terminate(agreementId);
  const { invoiceId } = await requestor.firstEvent('invoice', session);
  const { json } = await requestor.get(`${PAYMENT}/invoices/${invoiceId}`);
  return { agreementId, invoiceId, amount: json.amount };
}

/** @returns what it has cost */
async function complete(session: string): Promise<string> {
  const allocationId = await requestor.allocate();
  const { invoiceId, amount } = await ended(session);
  const acceptance = { totalAmountAccepted: amount, allocationId };
  await requestor.post(`${PAYMENT}/invoices/${invoiceId}/accept`, acceptance);
  await requestor.firstEvent('invoice', session, 'SETTLED');
  await requestor.delete(`${PAYMENT}/allocations/${allocationId}`);
  return amount;
}

/** Rows of each table that is not kept for good; the newest effect always stays. */
function rows(): Record<string, number> {
  const database = new Libsql(join(dataDir, 'devnet.sqlite'));
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as {
      name: string;
    }[];
    const counted = tables.filter(({ name }) => !KEPT.test(name) && !name.startsWith('sqlite_'));
    return Object.fromEntries(
      counted.map(({ name }) => {
        const { n } = database.prepare(`SELECT COUNT(*) AS n FROM ${name}`).get() as { n: number };
        return [name, name === 'effect' ? Math.max(0, n - 1) : n];
      }),
    );
  } finally {
    database.close();
  }
}

async function untilRows(expected: Record<string, number>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (JSON.stringify(rows()) !== JSON.stringify(expected) && Date.now() < deadline) await delay(100);
  expect(rows()).toEqual(expected);
}

it('complete rentals leave no rows behind, and the file does not grow', async () => {
  await start(RETENTION_SEC);
  const fresh = rows();
  const sizes: number[] = [];
  for (const round of [1, 2, 3]) {
    for (let n = 0; n < 5; n++) await complete(`${round}-${n}`);
    await untilRows(fresh);
    // The file is cut once all is deleted, in the same turn as the next look for more.
    await delay(RETENTION_SEC * 1000);
    sizes.push(statSync(join(dataDir, 'devnet.sqlite')).size);
  }
  expect(sizes[2]).toBeLessThanOrEqual((sizes[0] ?? 0) + 8 * 4096);
});

it('what a node has paid is known when the payments are long forgotten, also after a restart', async () => {
  await start(RETENTION_SEC);
  const fresh = rows();
  const paid = new Amount(await complete('first')).plus(await complete('second'));
  const money = {
    ...{ node: 'requestor', platform: PLATFORM, balance: new Amount(1000).minus(paid).toFixed() },
    ...{ reserved: '0', accepted: paid.toFixed(), paid: paid.toFixed() },
  };
  expect((await requestor.admin('/state')).money).toEqual([money]);
  await untilRows(fresh);
  expect((await requestor.admin('/state')).money).toEqual([money]);
  await devnet.close();
  await start();
  expect((await requestor.admin('/state')).money).toEqual([money]);
  await requestor.allocate('7');
  expect((await requestor.admin('/state')).money).toEqual([{ ...money, reserved: '7' }]);
});

it('the number of an effect is never given twice, however much was forgotten', async () => {
  await start(RETENTION_SEC);
  const fresh = rows();
  await complete('s');
  const [first] = (await requestor.admin('/effects')) as { seq: number }[];
  await untilRows(fresh);
  const [last] = (await requestor.admin('/effects')) as { seq: number }[];
  expect(last?.seq).toBeGreaterThan(first?.seq ?? 0);
  await devnet.close();
  await start();
  await requestor.allocate();
  const [, next] = (await requestor.admin('/effects')) as { seq: number }[];
  expect(next?.seq).toBe((last?.seq ?? 0) + 1);
});

it('what is open is kept: live agreements, their events and work, unpaid invoices, live allocations', async () => {
  await start();
  const allocationId = await requestor.allocate();
  const unpaid = await ended('unpaid');
  const agreementId = await requestor.rent('live');
  const activityId = await requestor.createActivity(agreementId);
  await complete('paid');
  const paths = [
    `${PAYMENT}/allocations/${allocationId}`,
    `${MARKET}/agreements/${unpaid.agreementId}`,
    `${PAYMENT}/invoices/${unpaid.invoiceId}`,
    `${PAYMENT}/invoiceEvents?timeout=0&appSessionId=unpaid`,
    `${MARKET}/agreements/${agreementId}`,
    `${MARKET}/agreementEvents?timeout=0&appSessionId=live`,
    `${ACTIVITY}/${activityId}/agreement`,
  ];
  const read = (): Promise<unknown[]> =>
    Promise.all(paths.map(async (path) => (await requestor.get(path)).json));
  const before = await read();
  const { vm_activity, agreement } = rows();
  await devnet.close();
  await start(0);
  const deadline = Date.now() + 20_000;
  while (rows()['agreement'] === agreement && Date.now() < deadline) await delay(50);
  expect(rows()).toMatchObject({ agreement: 2, vm_activity: (vm_activity ?? 0) - 1, allocation: 1 });
  expect(await read()).toEqual(before);
  // And can be ended as ever.
  const acceptance = { totalAmountAccepted: unpaid.amount, allocationId };
  expect((await requestor.post(`${PAYMENT}/invoices/${unpaid.invoiceId}/accept`, acceptance)).status).toBe(
    200,
  );
  expect((await requestor.terminate(agreementId)).status).toBe(200);
});

it('what was long over is there for as long as it is remembered', async () => {
  await start(3600);
  await complete('s');
  await devnet.close();
  await start(3600);
  expect((await requestor.get(`${PAYMENT}/invoiceEvents?timeout=0&appSessionId=s`)).json).toHaveLength(1);
  expect((await requestor.get(`${PAYMENT}/payments?timeout=0`)).json).toMatchObject([
    { paymentPlatform: PLATFORM },
  ]);
});
