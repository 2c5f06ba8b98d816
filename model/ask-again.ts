/** What a query is told that came when a worker was just reading the workflow, and how to ask again. */

/** An argument more, whatever the query: the workflow is closed, and what it is told moves nothing on. */
export const OF_CLOSED = 'closed';

export const ASK_AGAIN = `golem-temporal: a new worker is just reading the workflow: ask again, or with the argument "${OF_CLOSED}" where it is closed`;

export function isPutOff(error: unknown): boolean {
  return error instanceof Error && error.message.includes(ASK_AGAIN);
}

/** What is needed of Temporal's handle of a workflow. */
export interface Asked {
  query(name: string, ...args: unknown[]): Promise<unknown>;
  describe(): Promise<{ status: { name: string } }>;
}

/** Asks until there is another answer than that. */
export async function askedAgain<T>(asked: Asked, name: string, args: readonly unknown[] = []): Promise<T> {
  for (;;) {
    try {
      return (await asked.query(name, ...args)) as T;
    } catch (error) {
      if (!isPutOff(error)) throw error;
    }
    const { status } = await asked.describe();
    if (status.name !== 'RUNNING') return (await asked.query(name, ...args, OF_CLOSED)) as T;
  }
}

/** Type of the failure of an Update that was under way when its run ended: by continue-as-new, or for good. */
export const CUT_SHORT = 'AcceptedUpdateCompletedWorkflow';
