/**
 * What tests of a network that breaks have in common: one world for the file, a proxy between its worker and the devnet,
 * and for each test a gate and the number of the last effect before it.
 */
import { FaultProxy } from './fault-proxy';
import { Gate } from './gate';
import { now } from './proof';
import { startWorld, type World, type WorldOptions } from './world';

export interface BrokenNetwork {
  world: World;
  gate: Gate;
  began: number;
}

/**
 * To be called once, at the top of a test file.
 * @param use - is given what a test needs before each
 */
export function brokenNetwork(
  options: Omit<WorldOptions, 'yagnaUrl'>,
  use: (network: BrokenNetwork) => void,
): FaultProxy {
  const proxy = new FaultProxy();
  let world: World;
  let gate: Gate;
  beforeAll(async () => {
    world = await startWorld({ ...options, yagnaUrl: (url) => proxy.start(url) });
  });
  afterAll(async () => {
    await world?.close();
    await proxy.close();
  });
  beforeEach(async () => {
    const began = await now(world);
    gate = await Gate.start();
    use({ world, gate, began });
  });
  afterEach(async () => {
    proxy.clear();
    await gate.close();
  });
  return proxy;
}
