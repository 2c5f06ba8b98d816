/**
 * `npm run bench:devnet`: how the devnet bears many providers and rentals at once. Starts the built devnet as a child
 * with `--providers N` (default 1,000), rents N agreements with one requestor, creates N Golem activities, holds N idle
 * long polls, and prints what it took: total times, CPU of the idle child (from /proc), and the time from an effect to
 * the answers of the polls that wait for it.
 */
const fs = require('node:fs');
const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { buildIfStale } = require('../scripts/build');
require('../test/support/typescript.js');
const { stopAllChildren } = require('../cli/child-process.ts');
const { holdLongPolls, startDevnetChild } = require('./devnet-child.ts');
const { cpuSeconds, memoryMib } = require('./process-figures.ts');

const PLATFORM = 'erc20-holesky-tglm';
const [MARKET, PAYMENT, ACTIVITY] = ['/market-api/v1', '/payment-api/v1', '/activity-api/v1'];

const { values: flags } = parseArgs({
  options: {
    /** Providers, agreements, activities and long polls. */
    providers: { type: 'string', default: '1000' },
    /** Seconds over which the idle child's CPU is measured. */
    idle: { type: 'string', default: '20' },
    /** Calls under way at once. */
    parallel: { type: 'string', default: '50' },
  },
});
const COUNT = Number(flags.providers);
const PARALLEL = Number(flags.parallel);
/** From a VM's creation to its first debit note: time enough to measure the idle network before. */
const NOTES_SEC = 90;

const rows = [];
const report = (what, figure) => {
  rows.push([what, figure]);
  console.log(`${what.padEnd(64)} ${figure}`);
};

async function main() {
  await buildIfStale();
  const child = await startDevnetChild(COUNT, { idleLimitSec: 3600, debitNoteIntervalSec: NOTES_SEC });
  try {
    await measure(child);
  } finally {
    await child.close();
    await stopAllChildren();
  }
}

async function measure(child) {
  const { call, pid } = child;
  const cpu = () => cpuSeconds(pid);
  report(`start with ${COUNT} providers`, seconds(child.startedMs));

  const allocations = await timed(`${COUNT} allocations`, () =>
    each(COUNT, () =>
      call('POST', `${PAYMENT}/allocations`, { totalAmount: '0.5', paymentPlatform: PLATFORM }),
    ),
  );
  const allocationId = allocations[0].allocationId;

  const demands = Math.ceil(COUNT / 10);
  await timed(`${demands} demands, the first 20 offers of each, all withdrawn`, () =>
    each(demands, async () => {
      const id = await call('POST', `${MARKET}/demands`, terms());
      await call('GET', `${MARKET}/demands/${id}/events?timeout=5&maxEvents=20`);
      await call('DELETE', `${MARKET}/demands/${id}`);
    }),
  );

  const agreements = await timed(`${COUNT} agreements from one demand`, () => rentAll(call));
  const activities = await timed(`${COUNT} activities`, () =>
    each(
      COUNT,
      async (i) => (await call('POST', `${ACTIVITY}/activity`, { agreementId: agreements[i] })).activityId,
    ),
  );
  await timed(`${COUNT} times agreement, state and usage`, () =>
    each(COUNT, async (i) => {
      await call('GET', `${MARKET}/agreements/${agreements[i]}`);
      await call('GET', `${ACTIVITY}/activity/${activities[i]}/state`);
      await call('GET', `${ACTIVITY}/activity/${activities[i]}/usage`);
    }),
  );
  await timed(`100 lists of all agreements, 100 reads of the last 10 effects`, () =>
    each(100, async () => {
      await call('GET', `${MARKET}/agreements?appSessionId=s1`);
      await child.admin(`/effects?after=${COUNT * 3}&kind=activity-created`);
    }),
  );

  await timed(`${COUNT} scripts: deploy, start, run`, () =>
    each(COUNT, (i) => runScript(call, activities[i])),
  );
  await idle(child, cpu);
  await debitNotes(child, cpu);
  await latency(child, agreements, allocationId, cpu);
  const bytes = fs
    .readdirSync(child.dataDir)
    .reduce((sum, name) => sum + fs.statSync(`${child.dataDir}/${name}`).size, 0);
  report('state on disk', `${(bytes / 2 ** 20).toFixed(1)} MiB`);
}

/** What the child uses while nothing happens and everybody waits. */
async function idle(child, cpu) {
  const release = holdLongPolls(child, COUNT);
  await sleep(3000);
  const before = cpu();
  await sleep(Number(flags.idle) * 1000);
  const used = cpu() - before;
  report(
    `idle, ${COUNT} agreements and activities, ${COUNT} long polls`,
    `${((used / flags.idle) * 100).toFixed(2)} % of a core`,
  );
  report('memory', `${Math.round(memoryMib(child.pid))} MiB`);
  await release();
}

/** All providers send a debit note, each as long after the other as their VMs were created after each other. */
async function debitNotes({ call, admin }, cpu) {
  const since = new Date().toISOString();
  const before = cpu();
  const heard = await each(
    COUNT,
    async (i) => {
      const query = `timeout=600&afterTimestamp=${since}&appSessionId=s${i}`;
      const [{ debitNoteId }] = await call('GET', `${PAYMENT}/debitNoteEvents?${query}`);
      return { id: debitNoteId, at: Date.now() };
    },
    COUNT,
  );
  const used = cpu() - before;
  const issued = new Map();
  for (const { debitNoteId, at } of await admin('/effects?kind=debit-note-issued')) {
    issued.set(debitNoteId, Date.parse(at));
  }
  const times = heard.map(({ id }) => issued.get(id));
  report(`${COUNT} debit notes, all within`, seconds(Math.max(...times) - Math.min(...times)));
  report('  CPU of that', `${((used / COUNT) * 1000).toFixed(1)} ms each`);
  reportDelays(
    'debit note',
    heard.map(({ id, at }) => at - issued.get(id)),
  );
}

function reportDelays(kind, delays) {
  const sorted = delays.sort((a, b) => a - b);
  report(
    `  from effect to answer: ${kind}`,
    `median ${sorted[sorted.length >> 1]} ms, longest ${sorted.at(-1)} ms`,
  );
}

async function runScript(call, activityId) {
  const run = {
    entry_point: '/bin/sh',
    args: ['-c', 'echo done'],
    capture: { stdout: { atEnd: { format: 'str' } } },
  };
  const text = JSON.stringify([{ deploy: {} }, { start: {} }, { run }]);
  const batchId = await call('POST', `${ACTIVITY}/activity/${activityId}/exec`, { text });
  const results = await call('GET', `${ACTIVITY}/activity/${activityId}/exec/${batchId}?timeout=60`);
  if (results.length !== 3 || results[2].stdout !== 'done\n') throw new Error(JSON.stringify(results));
}

/** Time from an agreement's end, as the effect log has it, to the answers of those that wait to hear of it. */
async function latency({ call, admin }, agreements, allocationId, cpu) {
  const times = { 'agreement event': [], 'invoice event': [], 'invoice settled': [] };
  const ends = new Map();
  const since = new Date(Date.now() - 1).toISOString();
  const wait = async (kind, url, field, effect, headers) => {
    const [event] = await call('GET', url, undefined, { headers });
    times[kind].push({ id: event[field], at: Date.now(), effect });
    return event;
  };
  const half = Math.min(agreements.length, 200);
  const before = cpu();
  const began = performance.now();
  const waiting = agreements.slice(0, half).map(async (_, i) => {
    const query = `timeout=60&afterTimestamp=${since}&appSessionId=s${i}`;
    const heard = wait(
      'agreement event',
      `${MARKET}/agreementEvents?${query}`,
      'agreementId',
      'agreement-terminated',
    );
    const { invoiceId } = await wait(
      'invoice event',
      `${PAYMENT}/invoiceEvents?${query}`,
      'invoiceId',
      'invoice-issued',
    );
    const settled = wait(
      'invoice settled',
      `${PAYMENT}/invoiceEvents?${query}`,
      'invoiceId',
      'invoice-settled',
      {
        'X-Requestor-Events': 'SETTLED',
      },
    );
    const { amount } = await call('GET', `${PAYMENT}/invoices/${invoiceId}`);
    await call('POST', `${PAYMENT}/invoices/${invoiceId}/accept`, {
      totalAmountAccepted: amount,
      allocationId,
    });
    await Promise.all([heard, settled]);
  });
  await sleep(1000);
  await each(half, (i) =>
    call('POST', `${MARKET}/agreements/${agreements[i]}/terminate`, { message: 'done' }),
  );
  await Promise.all(waiting);
  report(`${half} agreements ended, invoiced, accepted, paid`, seconds(performance.now() - began));
  report('  CPU of that', `${(((cpu() - before) / half) * 1000).toFixed(1)} ms each`);
  for (const effect of await admin('/effects?kind=agreement-terminated,invoice-issued,invoice-settled')) {
    ends.set(`${effect.kind} ${effect.invoiceId ?? effect.agreementId}`, Date.parse(effect.at));
  }
  for (const [kind, heard] of Object.entries(times)) {
    reportDelays(
      kind,
      heard.map(({ id, at, effect }) => at - ends.get(`${effect} ${id}`)),
    );
  }
}

async function rentAll(call) {
  const demandId = await call('POST', `${MARKET}/demands`, terms());
  const events = async () =>
    await call('GET', `${MARKET}/demands/${demandId}/events?timeout=10&maxEvents=100`);
  const offers = [];
  while (offers.length < COUNT) offers.push(...(await events()));
  const drafts = [];
  const countered = each(offers.length, (i) => {
    const { proposalId } = offers[i].proposal;
    const properties = { 'golem.com.payment.chosen-platform': PLATFORM };
    return call('POST', `${MARKET}/demands/${demandId}/proposals/${proposalId}`, terms(properties));
  });
  while (drafts.length < COUNT) drafts.push(...(await events()));
  await countered;
  const agreements = await each(COUNT, async (i) => {
    const validTo = new Date(Date.now() + 3_600_000).toISOString();
    const id = await call('POST', `${MARKET}/agreements`, {
      proposalId: drafts[i].proposal.proposalId,
      validTo,
    });
    await call('POST', `${MARKET}/agreements/${id}/confirm?appSessionId=s${i}`);
    await call('POST', `${MARKET}/agreements/${id}/wait?timeout=30`);
    return id;
  });
  await call('DELETE', `${MARKET}/demands/${demandId}`);
  return agreements;
}

function terms(properties = {}) {
  return {
    properties: {
      'golem.srv.comp.expiration': Date.now() + 3_600_000,
      'golem.srv.comp.task_package': `hash:sha3:${'0'.repeat(56)}:http://127.0.0.1/image`,
      'golem.node.debug.subnet': 'public',
      'golem.com.payment.debit-notes.accept-timeout?': 240,
      'golem.com.payment.protocol.version': '3',
      [`golem.com.payment.platform.${PLATFORM}.address`]: '0x0',
      ...properties,
    },
    constraints: `(&(golem.runtime.name=vm)(golem.inf.mem.gib>=1)(golem.com.payment.platform.${PLATFORM}.address=*))`,
  };
}

/** Does something `count` times, some at once; gives the results in order. */
async function each(count, action, parallel = PARALLEL) {
  const results = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await action(i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, count) }, worker));
  return results;
}

async function timed(what, action) {
  const began = performance.now();
  const result = await action();
  report(what, seconds(performance.now() - began));
  return result;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
