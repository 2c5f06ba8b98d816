/** Names of the task queues; any language calls our workflows on `golem`. */
export { DEFAULT_TASK_QUEUE as TASK_QUEUE, watchQueueOf } from '../model/ids';
