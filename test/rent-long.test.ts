/** Whoever talks to a rental notices nothing of its going on as a new run: no script is lost, none is run twice. */
import { Gate } from './support/gate';
import { expectAllPaidOnce, now } from './support/proof';
import { startWorld, type World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 }, continueAsNewAfter: 60 });
});
afterAll(() => world?.close());

/** Run id of the newest run of a rental. */
const runOf = async (rentalId: string) => (await world.client.workflow.getHandle(rentalId).describe()).runId;

test('scripts, their results as they come, and repeats outlive the runs of a rental', async () => {
  const began = await now(world);
  const gate = await Gate.start();
  const { jobId, rentalId } = await world.golem.rent({ image: 'golem/alpine:latest', budget: '1' });
  const runs = new Set([await runOf(rentalId)]);
  const say = (n: number) => ({ commands: [`echo ${n} >> /golem/work/log`], scriptId: `say-${n}` });
  for (let n = 1; n <= 24; n += 3) {
    // Three at a time: some wait behind others when the run ends.
    const ends = await Promise.all(
      [n, n + 1, n + 2].map((each) => world.golem.exec(rentalId, say(each).commands, say(each))),
    );
    expect(ends.map(({ state }) => state)).toEqual(['done', 'done', 'done']);
    runs.add(await runOf(rentalId));
  }
  expect(runs.size).toBeGreaterThan(2);
  // The first is known, though its outcome is not kept any more and its run is over.
  await world.golem.executeScript(rentalId, say(1));

  const told: string[] = [];
  const slow = world.golem.exec(rentalId, ['echo early', gate.command as { run: string }, 'echo late'], {
    ...{ scriptId: 'slow', onResult: ({ stdout }) => told.push(stdout ?? '') },
  });
  await gate.visitor();
  const before = await runOf(rentalId);
  // Questions, each an Update, until the run is over under the script.
  while ((await runOf(rentalId)) === before) await world.golem.scriptResult(rentalId, 'slow', 0);
  gate.open();
  expect(await slow).toMatchObject({ state: 'done' });
  expect(told).toEqual(['early\n', '', 'late\n']);

  const log = await world.golem.exec(rentalId, ['cat /golem/work/log']);
  const said = log.results[0]?.stdout?.trim().split('\n').map(Number);
  expect(said?.sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, n) => n + 1));
  await gate.close();
  await world.golem.terminate(jobId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect((await expectAllPaidOnce(world, began)).taskScripts()).toHaveLength(26);
});
