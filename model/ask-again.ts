/** What a query is told that came when a worker was just reading the workflow, and how to ask again. */

/** An argument more, whatever the query: the workflow is closed, and what it is told moves nothing on. */
export const OF_CLOSED = 'closed';

export const ASK_AGAIN = `golem-temporal: a new worker is just reading the workflow: ask again, or with the argument "${OF_CLOSED}" where it is closed`;

export function isAskAgain(error: unknown): boolean {
  return error instanceof Error && error.message.includes(ASK_AGAIN);
}

/**
 * Asks until there is another answer than that.
 *
 * @param ask - sends the query, with `more` behind its arguments
 * @param isClosed - whether the workflow is
 */
export async function askedAgain<T>(
  ask: (more: string[]) => Promise<T>,
  isClosed: () => Promise<boolean>,
): Promise<T> {
  for (;;) {
    try {
      return await ask([]);
    } catch (error) {
      if (!isAskAgain(error)) throw error;
    }
    if (await isClosed()) return await ask([OF_CLOSED]);
  }
}
