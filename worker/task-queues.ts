/** Names of the task queues; any language calls our workflows on `golem`. */
export { DEFAULT_TASK_QUEUE as TASK_QUEUE } from '../model/ids';

/** Queue of the long polls that belong to a queue. */
export function watchQueueOf(taskQueue: string): string {
  return `${taskQueue}-watch`;
}
