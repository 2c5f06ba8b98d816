/** Asking many without asking more than can be answered in time. */

/**
 * Like `Promise.all` over `items.map(act)`, with at most `most` of them under way. After the first failure none is begun.
 * @returns the results in the order of the items
 */
export async function fewAtATime<T, R>(
  items: readonly T[],
  most: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()].reverse();
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    for (let next = waiting.pop(); next && !hasFailed; next = waiting.pop()) {
      const [index, item] = next;
      results[index] = await act(item).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, lane));
  return results;
}
