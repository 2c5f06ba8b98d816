/** What a query is told that came at a bad moment, and by which clients know to ask again. */
export const ASK_AGAIN = 'golem-temporal: the workflow is just being read by a new worker; ask again';

/** True of a query that came when a worker was just reading the workflow: it will be answered the next time. */
export function isAskAgain(error: unknown): boolean {
  return error instanceof Error && error.message.includes(ASK_AGAIN);
}
