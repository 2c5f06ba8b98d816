/** A Golem job as its users see it: real Temporal server, real worker process, devnet over HTTP. */
import { NOTHING_OPEN, startWorld, type World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

test('a job of one line returns what the line printed, pays for it and leaves nothing behind', async () => {
  const { golem } = world;
  const { jobId } = await golem.startJob({ image: 'golem/alpine:latest', budget: '1', tasks: ['echo hello'] });
  const result = await golem.result(jobId);
  expect(result.state).toBe('done');
  expect(result.tasks).toHaveLength(1);
  expect(result.tasks[0]?.results).toMatchObject([{ index: 0, result: 'Ok', stdout: 'hello\n', message: null }]);
  const settlement = await golem.settled(jobId);
  expect(settlement.state).toBe('settled');
  expect(settlement.money.paid).toBe(settlement.money.accepted);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
