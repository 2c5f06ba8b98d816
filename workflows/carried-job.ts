/**
 * What a run of a job gives to the next, as plain data: all it has to know. Tasks that run go on meanwhile in their
 * rentals, and what those say is heard by whichever run is there.
 */
import { carryEvents, type EventLog } from '../model/events';
import type { AgreementId, AllocationId, Timestamp } from '../model/ids';
import type { Installation, JobSpec } from '../model/job';
import type { JobPhase, LastFailure } from '../model/result';
import { fitTasks, jsonSize, PAYLOAD_JSON } from '../model/result-size';
import type { NamedFailure } from './failure-type';
import type { CarriedFileTasks } from './file-tasks';
import type { CarriedBudget } from './job-budget';
import type { MarketState } from './market-rounds';
import type { BrokenStartsState } from './state/broken-starts';
import type { Grants } from './state/grants';
import { withoutDoneWork, type JobState } from './state/job-state';

export interface CarriedJob {
  /** Its tasks are in `state`. */
  spec: JobSpec;
  installation: Installation;
  startedAt: Timestamp;
  state: JobState;
  phase: JobPhase;
  lastFailure?: LastFailure;
  allocationId?: AllocationId;
  /** First run of the settlement. */
  settlementRunId: string;
  settlementSeq: number;
  fileTasks?: CarriedFileTasks;
  /** Rentals begun so far. */
  rentals: number;
  budget: CarriedBudget;
  market: MarketState;
  broken: BrokenStartsState;
  retried: boolean;
  doneSinceStop: boolean;
  roundFailure?: NamedFailure;
  /** When it last had an agreement, or began: ms since the epoch. */
  idleSinceMs: number;
  /** Agreements of rentals that ended without a word, which are still to be ended. */
  toEnd: [AgreementId, string][];
  /** Who controls it; absent where everybody does. */
  grants?: Grants;
  log: EventLog;
}

const EVENTS_JSON = 200_000;

/** Cut to what one payload can hold: what is done is not to be done again, and of outputs a part may have to do. */
export function fitCarried(job: CarriedJob): CarriedJob {
  const fitting = {
    ...job,
    spec: { ...job.spec, tasks: [] },
    log: carryEvents(job.log, EVENTS_JSON),
    state: { ...job.state, tasks: [] },
  };
  const json = PAYLOAD_JSON - jsonSize(fitting);
  const tasks = withoutDoneWork(job.state);
  return { ...fitting, state: { ...fitting.state, tasks: fitTasks(tasks, { json, frameJson: json }) } };
}
