/**
 * To call from workflows of your own: Golem jobs, and VMs to talk to, as child workflows. They run on our worker's task queue,
 * so nothing has to be added to your worker.
 */
export { executeGolemJob, type ExecuteGolemJobOptions } from './execute-job';
export { rentGolemVm, type GolemRental, type RentalSpec, type ScriptOptions } from './rent-vm';
export type { CommandResult, JobProgress, JobResult, TaskResult } from '../model/result';
export type { ScriptEnd, ScriptOutcome } from '../model/script';
export type { WrittenSpec as JobSpec } from '../model/spec-schema';
