/** Running the Golem workflows and activities in a worker of your own, or in ours. */
export { Connections, type ConnectionChange, type RequestDone, type RequestOutcome } from '../activities';
export { fileAvoidStore, prepareAvoidFile } from './avoid-file';
export { GolemEventNotice, type GolemEventDetail } from './event-target';
export { DEFAULT_FILES_PORT, startFileServer, type FileServer, type FileServerOptions } from './file-server';
export { logPlainly } from './log';
export { GolemPlugin, type GolemPluginOptions } from './plugin';
export { runWorker, type RunWorkerOptions } from './run';
export { BREACHES, type AvoidedProvider, type Breach, type ProviderAvoidStore } from '../model/avoid';
export { TASK_QUEUE, watchQueueOf } from './task-queues';
