/** What `startDevnet` is asked for: refused with one line for each mistake, before anything is started. */
import { readdirSync } from 'node:fs';
import { OptionsError, startDevnet, type DevnetOptions } from '../devnet';
import { tempDir } from './support/temp-dir';

const dataDir = tempDir('devnet-options');

async function mistakesIn(options: unknown): Promise<readonly string[]> {
  try {
    await (await startDevnet(options as DevnetOptions)).close();
  } catch (error) {
    if (error instanceof OptionsError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('the options of a devnet', () => {
  it.each<[string, unknown]>([
    ['paymentCycleSec: must be at least 0, not -1', { paymentCycleSec: -1 }],
    ['paymentCycleSec: expected a number of seconds, not NaN', { paymentCycleSec: NaN }],
    ['paymentCycleSec: expected a number of seconds, not Infinity', { paymentCycleSec: Infinity }],
    ['paymentCycleSec: expected a number of seconds, not "1"', { paymentCycleSec: '1' }],
    ['retentionSec: must be at least 0, not -5', { retentionSec: -5 }],
    ['rebroadcastSec: must be at most 3155760000, not 1e+300', { rebroadcastSec: 1e300 }],
    ['appKeys: at least one is needed', { appKeys: [] }],
    ['appKeys[0]: must not be empty', { appKeys: [''] }],
    ['appKeys: expected a list, not "key"', { appKeys: 'key' }],
    ['port: must be at most 65535, not 70000', { port: 70_000 }],
    ['port: expected a whole number, not 1.5', { port: 1.5 }],
    ['adminPort: must be at least 0, not -1', { adminPort: -1 }],
    ['funds: give a decimal from 0 to 1000000000', { funds: '1000000001' }],
    ['funds: expected a string, not 5', { funds: 5 }],
    ['log: expected a function', { log: 'yes' }],
    ['paymentCycle: no such setting, did you mean "paymentCycleSec"?', { paymentCycle: 1 }],
    ['colour: no such setting', { colour: 'red' }],
    ['options: expected an object, not 7', 7],
    ['nodes[0].name: is missing', { nodes: [{}] }],
    ['nodes[0].appKeys: at least one is needed', { nodes: [{ name: 'bob', appKeys: [] }] }],
    ['nodes[0].appKey: no such setting, did you mean "appKeys"?', { nodes: [{ name: 'bob', appKey: 'k' }] }],
    [
      'two nodes of the devnet are named "bob"',
      { nodes: [{ name: 'bob' }, { name: 'bob', appKeys: ['k'] }] },
    ],
  ])('are refused: %s', async (mistake, options) => {
    expect(await mistakesIn(options)).toEqual([mistake]);
  });

  it('are refused with all mistakes at once, and nothing is left behind', async () => {
    expect(await mistakesIn({ dataDir, appKeys: [], retentionSec: -5 })).toHaveLength(2);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('may be left undefined, and be at their limits', async () => {
    expect(
      await mistakesIn({ port: undefined, log: undefined, paymentCycleSec: 0, retentionSec: 0, funds: '0' }),
    ).toEqual([]);
  });
});
