/** What golem-js is used for in the tests, as its guide has it. Each gets a connected network. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { WebSocket } from 'ws';

const order = {
  demand: {
    workload: { imageTag: 'golem/alpine:latest' },
  },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 1, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 1 },
  },
  payment: { driver: 'erc20', network: 'holesky' },
};
/** The same with a debit note each second, to be accepted within so many. */
const orderWithNotes = (debitNotesAcceptanceTimeoutSec) => ({
  ...order,
  demand: {
    ...order.demand,
    payment: { debitNotesAcceptanceTimeoutSec, midAgreementDebitNoteIntervalSec: 1 },
  },
});
const UNTIL_STOPPED = 'until [ -e stop ]; do echo tick; sleep 0.05; done; echo end';

const failureOf = (error) => ({ failure: error.name, code: error.code, why: error.message });

export async function oneOf({ glm, tell }) {
  const rental = await glm.oneOf({ order });
  const exe = await rental.getExeUnit();
  const { stdout, stderr, result } = await exe.run('echo hello; echo err >&2');
  tell({ stdout, stderr, result });
  await exe
    .beginBatch()
    .run('echo one > /golem/work/file')
    .run('cat /golem/work/file')
    .end()
    .then((results) => tell({ batch: results.map(({ stdout }) => stdout) }));
  const failed = await exe.run('exit 3');
  tell({ result: failed.result, message: failed.message });
  // Output from before golem-js listens is lost, so it goes on until some has been heard.
  const remote = await exe.runAndStream(UNTIL_STOPPED);
  tell({ streaming: exe.activity.id });
  const heard = new Set();
  const first = (text) => !heard.has(text) && heard.add(text) && tell({ streamed: text });
  await new Promise((resolve, reject) => {
    remote.stdout.subscribe({
      next: (text) => text?.trim().split('\n').forEach(first),
      error: reject,
      complete: resolve,
    });
  });
  await rental.stopAndFinalize();
}

export async function manyOf({ glm, tell }) {
  const pool = await glm.manyOf({ poolSize: 3, order });
  let waiting = 0;
  let open;
  // Each keeps its provider until all three have one.
  const all = new Promise((resolve) => (open = resolve));
  await Promise.all(
    [1, 2, 3].map((number) =>
      pool.withRental(async (rental) => {
        const exe = await rental.getExeUnit();
        if (++waiting === 3) open();
        await all;
        const { stdout } = await exe.run(`echo task ${number}`);
        tell({ stdout, providerId: exe.provider.id, provider: exe.provider.name });
      }),
    ),
  );
  await pool.drainAndClear();
}

/** Six tasks at once, for whom there are two providers. */
export async function contention({ glm, tell }) {
  const pool = await glm.manyOf({ poolSize: { min: 1, max: 6 }, order });
  await Promise.all(
    [1, 2, 3, 4, 5, 6].map((number) =>
      pool.withRental(async (rental) => {
        const exe = await rental.getExeUnit();
        const { stdout } = await exe.run(`echo task ${number}`);
        tell({ stdout });
      }),
    ),
  );
  await pool.drainAndClear();
}

export async function batches({ glm, tell }) {
  const rental = await glm.oneOf({ order });
  const exe = await rental.getExeUnit();
  const results = await exe
    .beginBatch()
    .run('echo 42 > /golem/input/answer')
    .run('cat /golem/input/answer')
    .run('/bin/sh', ['-c', 'exit 3'])
    .run('echo never')
    .end();
  tell({ ended: results.map(({ result, stdout }) => [result, stdout]) });
  const stream = await exe.beginBatch().run('echo one').run('echo two >&2').run('echo three').endStream();
  const streamed = [];
  await new Promise((resolve, reject) => {
    stream.subscribe({
      next: ({ index, result, stdout, stderr }) => streamed.push([index, result, stdout, stderr]),
      error: reject,
      complete: resolve,
    });
  });
  tell({ streamed });
  await rental.stopAndFinalize();
}

export async function debitNotes({ glm, tell }) {
  const rental = await glm.oneOf({ order: orderWithNotes(60) });
  const exe = await rental.getExeUnit();
  const { result } = await exe.run(UNTIL_STOPPED);
  tell({ result });
  await rental.stopAndFinalize();
}

/** Has no VM until the provider has had enough of it. */
export async function idle({ glm, tell }) {
  const ended = new Promise((resolve) => glm.market.events.once('agreementTerminated', resolve));
  const rental = await glm.oneOf({ order });
  await rental.getExeUnit();
  await rental.destroyExeUnit();
  const { reason, terminatedBy } = await ended;
  tell({ reason, terminatedBy, state: await rental.fetchAgreementState() });
  await rental.getExeUnit().catch((error) => tell(failureOf(error)));
  await rental.stopAndFinalize();
}

/** Its command is cut short by the provider's end of the agreement, or of itself. */
export async function cutShort({ glm, tell, told }) {
  const rental = await glm.oneOf({ order: orderWithNotes(2) });
  const exe = await rental.getExeUnit();
  // A command that was interrupted has a result that says so; of a VM that nobody answers for there is none.
  await exe.run(UNTIL_STOPPED, { maxRetries: 1 }).then(
    ({ result, message }) => tell({ failure: result, why: message }),
    (error) => tell(failureOf(error)),
  );
  await told();
  await rental.stopAndFinalize();
}

/** The same, and the provider will not even send an invoice: it does not wait for one for long. */
export async function unbilled({ glm, tell, told }) {
  const rental = await glm.oneOf({ order: orderWithNotes(60) });
  const exe = await rental.getExeUnit();
  await exe.run(UNTIL_STOPPED, { maxRetries: 1 }).catch((error) => tell(failureOf(error)));
  await told();
  await rental.stopAndFinalize(3000).catch((error) => tell({ unbilled: error.message }));
}

/** Its command is cut short by the program itself. */
export async function stop({ glm, tell, told }) {
  const rental = await glm.oneOf({ order });
  const exe = await rental.getExeUnit();
  const running = exe.run(UNTIL_STOPPED).catch((error) => tell(failureOf(error)));
  await told();
  await rental.stopAndFinalize();
  await running;
}

/** Gives up on the market, and then on a command. */
export async function abort({ glm, tell, told }) {
  const aborted = async (action) => {
    const controller = new AbortController();
    void told().then(() => controller.abort());
    await action(controller.signal).catch((error) => tell(failureOf(error)));
  };
  await aborted((signal) => glm.oneOf({ order, signalOrTimeout: signal }));
  tell({ waiting: 'no more' });
  const rental = await glm.oneOf({ order });
  const exe = await rental.getExeUnit();
  await aborted((signal) => exe.run(UNTIL_STOPPED, { signalOrTimeout: signal }));
  await rental.stopAndFinalize();
}

/** Two VMs with a server each: called through a proxy, by a WebSocket, and by one another. */
export async function network({ glm, tell }) {
  const network = await glm.createNetwork({ ip: '192.168.0.0/24' });
  const workload = { ...order.demand.workload, capabilities: ['vpn'] };
  const rent = () => glm.oneOf({ order: { ...order, demand: { workload }, network } });
  const rentals = [await rent(), await rent()];
  const [one, two] = await Promise.all(rentals.map((rental) => rental.getExeUnit()));
  const server = 'require("net").createServer((s) => s.pipe(s)).listen(8080, () => console.log("up"))';
  for (const exe of [one, two])
    await exe.run(`mkfifo up; '${process.execPath}' -e '${server}' >up & head -1 up`);

  const port = await freePort();
  const proxy = one.createTcpProxy(8080);
  await proxy.listen(port);
  tell({ proxied: await Promise.all([1, 2, 3].map(() => echoes(port, 4 * 1024 * 1024))) });
  await proxy.close();

  const headers = { authorization: `Bearer ${process.env.YAGNA_APPKEY}` };
  const socket = new WebSocket(two.getWebsocketUri(8080), { headers });
  await once(socket, 'open');
  socket.send('hello');
  const [answer] = await once(socket, 'message');
  tell({ answered: String(answer) });
  const client = `require("net").connect(8080, "${two.getIp()}").end("neighbour").pipe(process.stdout)`;
  const { stdout } = await one.run(`'${process.execPath}' -e '${client}'`);
  tell({ ips: [one.getIp(), two.getIp()], neighbour: stdout });

  const closed = once(socket, 'close');
  for (const rental of rentals) await rental.stopAndFinalize();
  tell({ closed: (await closed)[0] });
  await glm.destroyNetwork(network);
}

async function freePort() {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  await once(server.close(), 'close');
  return port;
}

/** Whether all that is sent to a port comes back. */
async function echoes(port, bytes) {
  const socket = connect(port, '127.0.0.1');
  const sent = randomBytes(bytes);
  // What golem-js has to keep until its WebSocket is open goes as one frame, and yagna takes no long ones.
  socket.write(sent.subarray(0, 1000));
  const got = createHash('sha256');
  let count = 0;
  for await (const chunk of socket) {
    if (count === 0) socket.write(sent.subarray(1000));
    got.update(chunk);
    count += chunk.length;
    if (count === bytes) break;
  }
  return got.digest('hex') === createHash('sha256').update(sent).digest('hex');
}
