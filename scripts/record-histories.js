/**
 * Records the histories that test/replay.test.ts replays: runs jobs on a Temporal dev server and a devnet of its own
 * and writes what their workflows did to test/histories/, in place of what was there.
 * `npm run build && node scripts/record-histories.js`
 */
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { Writable } = require('node:stream');
const { ROOT } = require('./checkout');
const { buildIfStale } = require('./build');
const { historyToJson } = require('./history-json');

const FOLDER = path.join(ROOT, 'test', 'histories');
/** Few providers keep the histories small. */
const PROVIDERS = ['first', 'second', 'third'].map((name) => ({ name, activityLimit: 2 }));

/** A Temporal that suggests to continue as new after so many events, for the jobs of `longJobs`. */
const CONTINUE_AFTER = 50;

async function main() {
  await buildIfStale();
  fs.rmSync(FOLDER, { recursive: true, force: true });
  fs.mkdirSync(FOLDER, { recursive: true });
  const web = await startWeb();
  try {
    await recordAll(jobs(web));
    await recordAll(longJobs(), { 'limit.historyCount.suggestContinueAsNew': CONTINUE_AFTER });
  } finally {
    await web.close();
  }
}

/** Runs jobs, by name, and records their workflows. */
async function recordAll(named, dynamicConfig) {
  const { startTemporalServer } = require('../dist/cli/temporal-server.js');
  const { startDevnet } = require('../dist/devnet/index.js');
  const { GolemClient } = require('../dist/client/index.js');
  const { Connections, runWorker } = require('../dist/worker/index.js');

  const temporal = await startTemporalServer({ dynamicConfig });
  const devnet = await startDevnet({ providers: PROVIDERS, paymentCycleSec: 0.1 });
  const stop = new globalThis.AbortController();
  const env = {
    YAGNA_APPKEY: devnet.appKey,
    YAGNA_API_URL: devnet.url,
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  };
  let ready;
  const polling = new Promise((resolve) => (ready = resolve));
  const worker = runWorker({
    address: temporal.address,
    env,
    connections: new Connections(env),
    signal: stop.signal,
    onReady: ready,
  });
  await Promise.race([polling, worker]);
  const golem = await GolemClient.connect({ address: temporal.address });
  try {
    for (const [name, run] of Object.entries(named)) {
      const jobId = name;
      const others = await run(golem, jobId);
      await golem.settled(jobId).catch(() => undefined);
      const { rentals } = await golem.progress(jobId);
      await record(golem.client, jobId, `${name}.job`);
      await record(golem.client, `${jobId}/settlement`, `${name}.settlement`);
      for (const { n, workflowId } of rentals) await record(golem.client, workflowId, `${name}.rental-${n}`);
      for (const [part, id] of Object.entries(others ?? {}))
        await record(golem.client, id, `${name}.${part}`);
    }
  } finally {
    await golem.close();
    stop.abort();
    await worker;
    await devnet.close();
    await temporal.close();
  }
}

/** Jobs whose workflows continue as new: their first run and their last are recorded. */
function longJobs() {
  return {
    continued: async (golem, jobId) => {
      await golem.startJob({ image: 'golem/alpine:latest', budget: '1', interactive: true }, { jobId });
      for await (const { name } of golem.followEvents(jobId)) if (name === 'ActivityCreated') break;
      const rental = golem.client.workflow.getHandle(`${jobId}/rental/1`);
      const execute = (line) => rental.executeUpdate('executeScript', { args: [{ commands: [line] }] });
      const result = async ({ scriptId }) => {
        let state = 'running';
        while (state === 'running')
          ({ state } = await rental.executeUpdate('scriptResult', { args: [{ scriptId }] }));
      };
      for (let i = 0; i < 3; i++) await golem.topUp(jobId, '0.1');
      for (let i = 0; i < 12; i++) await result(await execute(`echo ${i}`));
      // One that runs while its rental goes on.
      const slow = await execute('sleep 3');
      for (let i = 0; i < 40; i++) {
        const args = [{ scriptId: slow.scriptId, waitSec: 0 }];
        await rental.executeUpdate('scriptResult', { args });
      }
      await result(slow);
      await golem.client.workflow.getHandle(jobId).executeUpdate('terminate', { args: [{}] });
      await golem.result(jobId);
    },
  };
}

/** What is recorded: a name, and how to run a job of that id up to its result. */
function jobs(web) {
  const base = { image: 'golem/alpine:latest', budget: '1' };
  const transfer = (from) => ({ transfer: { from, to: '/golem/work/file' } });
  return {
    'one-task': async (golem, jobId) => {
      const spec = { ...base, tasks: ['echo hello'] };
      await golem.startJob(spec, { jobId });
      await golem.result(jobId);
      const options = { workflowId: `${jobId}/inspect`, taskQueue: 'golem' };
      const args = [{ what: 'estimate', spec }];
      await golem.client.workflow.execute('golemInspect', { ...options, args });
      return { inspect: options.workflowId };
    },
    'retried-task': async (golem, jobId) => {
      const tasks = [
        { name: 'a', vm: 'shared', commands: ['echo a > /golem/work/a'] },
        { name: 'b', vm: 'shared', commands: ['cat /golem/work/a'] },
        { name: 'flaky', commands: [transfer(web.failsOnce())] },
        { name: 'hopeless', commands: ['exit 3'], maxAttempts: 2 },
      ];
      const setup = ['mkdir -p /golem/work'];
      await golem.startJob({ ...base, setup, tasks, providers: { max: 2 } }, { jobId });
      await golem.result(jobId);
    },
    cancelled: async (golem, jobId) => {
      const door = web.closedDoor();
      const tasks = [{ name: 'done', commands: ['true'] }, { commands: [transfer(door.url)] }, 'echo never'];
      await golem.startJob({ ...base, tasks, providers: { max: 1 } }, { jobId });
      await door.knocked;
      await golem.cancel(jobId);
      await golem.result(jobId).catch(() => undefined);
    },
    interactive: async (golem, jobId) => {
      await golem.startJob({ ...base, interactive: true }, { jobId });
      for await (const { name } of golem.followEvents(jobId)) if (name === 'ActivityCreated') break;
      const rental = golem.client.workflow.getHandle(`${jobId}/rental/1`);
      const { scriptId } = await rental.executeUpdate('executeScript', {
        args: [{ commands: ['echo hello'] }],
      });
      await rental.executeUpdate('scriptResult', { args: [{ scriptId }] });
      await golem.client.workflow
        .getHandle(jobId)
        .executeUpdate('terminate', { args: [{ reason: 'enough' }] });
      await golem.result(jobId);
    },
    orphaned: async (golem, jobId) => {
      const { workflow } = golem.client;
      const door = web.closedDoor();
      const tasks = [{ commands: [transfer(door.url)] }];
      await golem.startJob({ ...base, tasks, providers: { max: 1 } }, { jobId });
      await door.knocked;
      for (const id of [jobId, `${jobId}/settlement`, `${jobId}/rental/1`])
        await workflow.getHandle(id).terminate();
      const options = { workflowId: `${jobId}/reconcile`, taskQueue: 'golem', args: [{}] };
      const { settlements } = await workflow.execute('golemReconcile', options);
      if (settlements.length !== 1) throw new Error('reconcile found no orphan');
      return { reconcile: options.workflowId };
    },
    filed: async (golem, jobId) => {
      const checkpoint = { files: ['/golem/work/state'], to: web.store('state.tar'), everySec: 5 };
      const lasting = { commands: ['echo begun > /golem/work/state; sleep 8'], checkpoint };
      const from = web.store(
        'tasks.jsonl',
        ['echo 1', lasting, 'exit 3'].map((line) => JSON.stringify(line)).join('\n'),
      );
      const spec = { ...base, tasks: { from }, resultsTo: web.store('results-{part}') };
      await golem.startJob({ ...spec, demand: { expirationSec: 3600 } }, { jobId });
      await golem.result(jobId);
    },
    detached: async (golem, jobId) => {
      const door = web.closedDoor();
      await golem.rent({ ...base, vmsAtOnce: 2 }, { jobId });
      await golem.exec(jobId, ['echo hello'], { vm: 'two' });
      await golem.executeScript(jobId, { commands: [transfer(door.url), 'echo later'] });
      await door.knocked;
      const { activityId, batchId } = await golem.detach(jobId);
      const { rentalId } = await golem.attach({ activityId });
      door.open();
      await golem.followScript(rentalId, batchId);
      await golem.exec(rentalId, ['echo again']);
      await golem.terminate(rentalId, 'enough');
      return { attached: rentalId };
    },
    closed: async (golem, jobId) => {
      const { ControlSigner, GolemClient } = require('../dist/client/index.js');
      const [owner, agent] = await Promise.all([ControlSigner.generate(), ControlSigner.generate()]);
      const as = (signer) => new GolemClient({ client: golem.client, signer });
      const { rentalId } = await as(owner).rent({ ...base, control: { owner: owner.key } }, { jobId });
      const until = new Date(Date.now() + 3_600_000).toISOString();
      await as(owner).grant(rentalId, { key: agent.key, permissions: ['exec', 'read'], until });
      await as(agent).exec(rentalId, ['echo hello']);
      await as(owner).revoke(rentalId, agent.key);
      await golem.exec(rentalId, ['echo never']).catch(() => undefined);
      await as(owner).terminate(jobId, 'enough');
      await golem.result(jobId);
    },
  };
}

async function startWeb() {
  const handlers = [];
  const files = new Map();
  const server = http.createServer((request, response) => {
    const [, kind, name] = request.url.split('/');
    if (kind === 'at') handlers[Number(name)](response);
    else if (request.method !== 'PUT') response.end(files.get(name));
    else request.pipe(fileOf(name)).on('finish', () => response.end());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const serve = (handler) => `${url}/at/${handlers.push(handler) - 1}`;
  const fileOf = (name) => {
    const parts = [];
    const write = (part, _encoding, done) => (parts.push(part), done());
    return new Writable({ write, final: (done) => (files.set(name, Buffer.concat(parts)), done()) });
  };
  return {
    failsOnce() {
      let asked = 0;
      return serve((response) => response.writeHead(++asked === 1 ? 503 : 200).end('served\n'));
    },
    /** Nobody gets in until it is opened, if it is; `knocked` resolves when the first waits. */
    closedDoor() {
      const waiting = [];
      let knock;
      const knocked = new Promise((resolve) => (knock = resolve));
      const url = serve((response) => (waiting.push(response), knock()));
      return { url, knocked, open: () => waiting.forEach((response) => response.end('served\n')) };
    },
    /** A file that can be read and written. */
    store(name, content = '') {
      files.set(name, content);
      return `${url}/files/${name}`;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Records the last run of a workflow, and the first one beside it where that was another one. */
async function record(client, workflowId, name) {
  const handle = client.workflow.getHandle(workflowId);
  const { runId, raw } = await handle.describe();
  const firstRunId = raw.workflowExecutionInfo.firstRunId;
  if (firstRunId && firstRunId !== runId) {
    write(`${name}.first`, await client.workflow.getHandle(workflowId, firstRunId).fetchHistory());
  }
  write(name, await handle.fetchHistory());
}

function write(name, history) {
  // Who recorded it, and where, is nobody's business.
  const text = historyToJson(history).replaceAll(`${process.pid}@${os.hostname()}`, '1@host');
  const file = path.join(FOLDER, `${name}.json`);
  fs.writeFileSync(file, `${text}\n`);
  console.log(`${path.relative(ROOT, file)}: ${history.events.length} events, ${text.length} bytes`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
