/**
 * A provider that falls silent, as yagna then answers for it: 408 to whatever concerns its VM, 500 to ending its
 * agreement. Its work goes to another provider at once, and what it holds is closed when it can be.
 */
import { brokenNetwork } from './support/broken-network';
import { type Call } from './support/fault-proxy';
import type { Gate } from './support/gate';
import { expectAllPaidOnce } from './support/proof';
import type { World } from './support/world';

let world: World;
let gate: Gate;
let began: number;

const proxy = brokenNetwork(
  {
    devnet: {
      paymentCycleSec: 0.1,
      providers: [...['one', 'two', 'three'].map((name) => ({ name })), { name: 'alone', subnet: 'alone' }],
    },
  },
  (network) => {
    ({ world, gate, began } = network);
  },
);

const JOB = { image: 'golem/alpine:latest', budget: '1', tasks: ['echo hello'] };
const FROZEN = { message: 'Timeout' };
const UNREACHABLE = {
  message:
    'Protocol error while terminating: GSB error: Remote service at `/net/0x0/market/protocol/mk1` error: ' +
    'GSB failure: Bad request: endpoint address not found',
};

/** The first provider answers nothing about its VM, and its agreement cannot be ended. Returns what thaws it. */
function freezeFirst(calls: RegExp): () => void {
  let agreement: string | undefined;
  let vm: string | undefined;
  const ofFirst = ({ path }: Call): boolean => {
    vm ??= /\/activity\/(\w+)\//.exec(path)?.[1];
    return vm !== undefined && path.includes(vm);
  };
  const ofAgreement = ({ path }: Call): boolean => {
    agreement ??= /\/agreements\/(\w+)\//.exec(path)?.[1];
    return agreement !== undefined && path.includes(agreement);
  };
  const faults = [
    proxy.answer(calls, 408, FROZEN, { times: Infinity, when: ofFirst }),
    proxy.answer(/^POST .*\/terminate$/, 500, UNREACHABLE, { times: Infinity, when: ofAgreement }),
  ];
  return () => {
    for (const fault of faults) fault.stop();
  };
}

/** The job is done by others while the first is still silent; then it thaws, and all is settled. */
async function isDoneByOthers(jobId: string, thaw: () => void): Promise<void> {
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  expect((await world.open()).agreements).toBeGreaterThan(0);
  thaw();
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  await expectAllPaidOnce(world, began);
}

test('silent while its VM comes up, it does not hold the task', async () => {
  const thaw = freezeFirst(/^(GET .*\/exec\/\w+|GET .*\/state|DELETE .*\/activity\/\w+)$/);
  const { jobId } = await world.golem.startJob(JOB);
  await isDoneByOthers(jobId, thaw);
});

test('silent when a script is sent to it, it does not hold the task', async () => {
  let execs = 0;
  const thaw = freezeFirst(/^(POST .*\/exec|GET .*\/state|DELETE .*\/activity\/\w+)$/);
  // The first script, which deploys, still gets through.
  proxy.watch(/^POST .*\/exec$/, { when: () => execs++ === 0 });
  const { jobId } = await world.golem.startJob(JOB);
  await isDoneByOthers(jobId, thaw);
});

test('silent when its job is cancelled, it is closed as soon as it answers', async () => {
  const { jobId } = await world.golem.startJob({ ...JOB, tasks: [{ commands: [gate.command] }] });
  await gate.visitor();
  const thaw = freezeFirst(/^(GET .*\/state|DELETE .*\/activity\/\w+)$/);
  await world.golem.cancel(jobId);
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
  thaw();
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  await expectAllPaidOnce(world, began);
});

test.each([
  ['its answer to a counter-proposal', { on: 'provider.negotiate', do: 'withhold', provider: 'alone' }],
  ['its offer, which it cannot be answered,', { on: 'counterProposalDemand', do: 'answer', status: 404 }],
] as const)(
  'when %s is lost, the only provider is asked again under another demand',
  async (_what, fault) => {
    world.devnet.faults.arm(fault);
    const demand = { subnetTag: 'alone', offerFetchingIntervalSec: 1, proposalTimeoutSec: 1 };
    const { jobId } = await world.golem.startJob({ ...JOB, demand });
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    const all = await expectAllPaidOnce(world, began);
    expect(all.count('demand-created')).toBe(2);
    expect(all.count('demand-removed')).toBe(2);
  },
);

describe('a rental that is told to close while it signs', () => {
  const closed = async (jobId: string): Promise<unknown> =>
    await world.client.workflow.getHandle(`${jobId}/rental/1`).result();

  test('does not try for ever', async () => {
    const refused = proxy.answer(/^POST .*\/confirm$/, 500, { message: 'no database' }, { times: Infinity });
    const { jobId } = await world.golem.startJob({ ...JOB, demand: { subnetTag: 'alone' } });
    await refused.hit(2);
    await world.client.workflow.getHandle(jobId).executeUpdate('terminate');
    expect(await closed(jobId)).toMatchObject({ tasksDone: 0, reason: 'terminated by request' });
    expect((await world.golem.result(jobId)).state).toBe('failed');
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    const all = await expectAllPaidOnce(world, began);
    expect(all.count('agreement-confirmed')).toBe(0);
  });

  test('has its agreement ended, whatever becomes of the job', async () => {
    let isConfirmed = false;
    proxy.watch(/^POST .*\/confirm$/, { when: () => (isConfirmed = true) });
    // As if the provider had not answered yet.
    const pending = (agreement: { state: string }): void => void (agreement.state = 'Pending');
    proxy.rewrite(/^GET .*\/agreements\/\w+$/, pending, { times: 1, when: () => isConfirmed });
    const hold = proxy.hold(/^POST .*\/agreements\/\w+\/wait$/, { times: 1 });
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: [{ commands: [gate.command] }] });
    await hold.reached;
    await world.client.workflow.getHandle(`${jobId}/rental/1`).executeUpdate('terminate');
    expect(await closed(jobId)).not.toHaveProperty('agreementId');
    await world.effect('agreement-terminated', began);
    await gate.visitor();
    expect((await world.golem.progress(jobId)).phase).toBe('running');
    gate.open();
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
  });
});
