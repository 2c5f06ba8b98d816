/**
 * yagna is stopped and started again while a job is under way: it forgets its demands, and in the devnet's case its
 * VMs are gone, but agreements and money are as they were. The job goes on.
 */
import { Gate } from './support/gate';
import { expectAllPaidOnce, expectScriptsRunOnce, now } from './support/proof';
import { tempDir } from './support/temp-dir';
import { startWorld, type World } from './support/world';

const dataDir = tempDir('yagna-restarts');
let world: World;
let gate: Gate;

beforeAll(async () => {
  world = await startWorld({
    devnet: {
      ...{ dataDir, paymentCycleSec: 0.1 },
      providers: ['one', 'two', 'three'].map((name) => ({
        name,
        approveSec: 0.05,
        createSec: 0.05,
        deploySec: 0.05,
      })),
    },
  });
});
afterAll(() => world?.close());
beforeEach(async () => {
  gate = await Gate.start();
});
afterEach(() => gate.close());

test.each([
  'demand-created',
  'agreement-confirmed',
  'agreement-approved',
  'activity-created',
  'invoice-issued',
])('after a restart at %s the job is done, paid once, and nothing is left', async (moment) => {
  const began = await now(world);
  gate.open();
  const { jobId } = await world.golem.startJob(job());
  await world.effect(moment, began);
  await world.restartDevnet();
  await endsWell(jobId, began);
});

test('after a restart in the middle of a task, the task is done in a fresh VM of the same agreement', async () => {
  const began = await now(world);
  const { jobId } = await world.golem.startJob(job());
  await gate.visitor();
  await world.restartDevnet();
  gate.open();
  const result = await endsWell(jobId, began);
  const [lost, done] = result.tasks[0]?.attempts ?? [];
  expect([lost?.state, done?.state]).toEqual(['lost', 'done']);
  expect(done?.agreementId).toBe(lost?.agreementId);
});

function job(): object {
  return {
    image: 'golem/alpine:latest',
    budget: '1',
    demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
    tasks: [{ commands: [gate.command] }],
  };
}

async function endsWell(
  jobId: string,
  began: number,
): Promise<Awaited<ReturnType<World['golem']['result']>>> {
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expectScriptsRunOnce(await expectAllPaidOnce(world, began), result);
  return result;
}
