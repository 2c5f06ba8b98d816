/** How often watches look at what nothing tells of: alone, and among very many. */
import { beginWatch, lookEveryMs } from '../activities/look-pace';

it('shares the looks of a process among its watches', () => {
  const ends = Array.from({ length: 2000 }, beginWatch);
  expect(lookEveryMs(60_000)).toBe(200_000);
  expect(lookEveryMs(60_000, 3)).toBe(600_000);
  for (const end of ends) end();
  expect(lookEveryMs(60_000)).toBe(60_000);
  expect(lookEveryMs(60_000, 3)).toBe(60_000);
});
