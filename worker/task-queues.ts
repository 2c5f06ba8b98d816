/** Names of the task queues; any language calls our workflows on `golem`. */
export const TASK_QUEUE = 'golem';

/** Queue of the long polls that belong to a queue. */
export function watchQueueOf(taskQueue: string): string {
  return `${taskQueue}-watch`;
}
