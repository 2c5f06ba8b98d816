/** The devnet itself: how many calls it answers a second, and what it uses while a thousand long polls wait. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { APP_KEY, holdLongPolls, startDevnetChild, type DevnetChild } from './devnet-child';
import { cpuSeconds } from './process-figures';
import type { Row } from './row';
import type { Setting } from './setting';

const CALLS = { 'GET /me': '/me', 'GET allocations': '/payment-api/v1/allocations' };
const POLLS = 1000;
/** Until what came before is over. */
const SETTLE_MS = 2000;

export async function devnetItself({ quick }: Setting): Promise<Row[]> {
  const [runs, runSec, idleSec, providers] = quick ? [1, 1, 3, 100] : [3, 3, 20, 1000];
  const devnet = await startDevnetChild(providers);
  try {
    const wanted = { totalAmount: '1', paymentPlatform: 'erc20-holesky-tglm' };
    await devnet.call('POST', '/payment-api/v1/allocations', wanted);
    const rows: Row[] = [];
    for (const [name, route] of Object.entries(CALLS)) {
      await requestsASecond(devnet, route, 1);
      const ours: number[] = [];
      for (let n = 0; n < runs; n++) ours.push(await requestsASecond(devnet, route, runSec));
      rows.push({
        ...{ measure: `devnet: ${name}`, unit: '/s', ours, toReach: { atLeast: 2000 } },
        note: 'Ten connections of another process, which shares the machine with the devnet.',
      });
    }
    rows.push({
      ...{ measure: `devnet: idle, ${POLLS} long polls, ${providers} providers`, unit: '% of a core' },
      ours: [await idleShare(devnet, idleSec)],
      toReach: { atMost: 5 },
    });
    return rows;
  } finally {
    await devnet.close();
  }
}

async function requestsASecond({ url }: DevnetChild, route: string, sec: number): Promise<number> {
  const autocannon = require.resolve('autocannon/autocannon.js');
  const key = `authorization=Bearer ${APP_KEY}`;
  const args = [autocannon, '--json', '--no-progress', '-c', '10', '-d', String(sec), '-H', key];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, url + route]);
  const { requests, duration, non2xx, errors } = JSON.parse(stdout) as {
    requests: { total: number };
    duration: number;
    non2xx: number;
    errors: number;
  };
  if (non2xx + errors > 0) throw new Error(`${route}: ${non2xx} answers were none, ${errors} errors`);
  return requests.total / duration;
}

async function idleShare(devnet: DevnetChild, sec: number): Promise<number> {
  const release = holdLongPolls(devnet, POLLS);
  await delay(SETTLE_MS);
  const [before, began] = [cpuSeconds(devnet.pid), performance.now()];
  await delay(sec * 1000);
  const used = cpuSeconds(devnet.pid) - before;
  const share = (used / ((performance.now() - began) / 1000)) * 100;
  await release();
  return share;
}
