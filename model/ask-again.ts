/** What a query is told that came at a bad moment, and by which clients know to ask again. */
export const ASK_AGAIN = 'golem-temporal: the workflow is just being read by a new worker; ask again';
