/**
 * The devnet against what is known of a real yagna: every call of its OpenAPI files, and every exchange that was
 * recorded, with what is left out and what differs written down in full.
 */
import { writeFileSync } from 'node:fs';
import { CHAINS, replayChain } from './support/conformance-chains';
import { DIFFERENCES, NOT_REPLAYED } from './support/conformance-differences';
import { stepsOf, type Outcome } from './support/recording-replay';
import { Precisions } from './support/replayed-values';

describe('replayed on the devnet, the recordings of a real yagna', () => {
  const precisions = new Precisions();
  let outcomes: Outcome[];

  /** Once more when it did not go as then: in the shortened time a busy machine can be too late. */
  const replayed = async (chain: (typeof CHAINS)[number]): Promise<Outcome[]> => {
    const first = await replayChain(chain, precisions);
    const isAsListed = first.every(
      ({ name, differences }) => differences.length > 0 === DIFFERENCES.has(name),
    );
    return isAsListed ? first : await replayChain(chain, precisions);
  };

  beforeAll(async () => {
    outcomes = (await Promise.all(CHAINS.map(replayed))).flat();
    const report = process.env['CONFORMANCE_REPORT'];
    if (report !== undefined)
      writeFileSync(report, JSON.stringify({ outcomes, times: precisions.fields }, null, 1));
  }, 180_000);

  test('are answered alike, but for the differences that are listed', () => {
    const different = outcomes.filter(({ differences }) => differences.length > 0);
    expect(different.filter(({ name }) => !DIFFERENCES.has(name))).toEqual([]);
    expect(different.map(({ name }) => name).sort()).toEqual([...DIFFERENCES.keys()].sort());
  });

  test('are all replayed, but for those that are listed', () => {
    const recorded = stepsOf(CHAINS.flatMap(({ files }) => files)).map(({ name }) => name);
    const replayed = outcomes.map(({ name }) => name);
    expect(new Set(replayed).size).toBe(replayed.length);
    expect(recorded.filter((name) => !replayed.includes(name)).sort()).toEqual(
      [...NOT_REPLAYED.keys()].sort(),
    );
    expect({
      recorded: recorded.length,
      alike: replayed.length - DIFFERENCES.size,
      different: DIFFERENCES.size,
      notReplayed: NOT_REPLAYED.size,
    }).toEqual({ recorded: 1231, alike: 1206, different: 21, notReplayed: 4 });
  });

  test('give times as precisely, and with the same zone', () => {
    expect(precisions.unlike()).toEqual([]);
    expect(precisions.fields.length).toBeGreaterThan(20);
  });
});
