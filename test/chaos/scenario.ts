/** What a job is that the matrix breaks, and what all of them have in common. The jobs themselves are in scenarios.ts. */
import type { JobResult } from '../../model/result';
import type { ChaosWorld } from './chaos-world';
import type { JobEvidence, ScriptEvidence } from './evidence';

export interface Scenario {
  name: string;
  tasks: JobEvidence['tasks'];
  budget: string;
  /** The job returns a result with every task done. */
  mustBeDone: boolean;
  /** What the settlement ends with. */
  settles: 'settled' | 'unpaid';
  /** An attempt is uncertain even where the matrix breaks nothing. */
  isUncertain?: boolean;
  /** Activities that it is there for: others may come to them too, on a slow machine. */
  isFor?: readonly string[];
  /** Workflows whose tasks are crash points, too, as in a `CrashPoint`. Default: none. */
  workflows?: readonly string[];
  /** Its Temporal suggests soon that workflows continue as new. Default false. */
  isHurried?: boolean;
  /** Makes ready what the job meets. */
  prepare(world: ChaosWorld): Prepared | Promise<Prepared>;
}

export interface Prepared {
  spec: object;
  /** Has the job started; resolves when that is under way. Default: it is started by `GolemClient`. */
  start?(jobId: string): Promise<void>;
  /** Scripts that are sent by Update: all of them, once the job is over. */
  scripts?: readonly ScriptEvidence[];
  /** The result with those tasks that the job has written elsewhere. */
  wholeResult?(result: JobResult): JobResult;
  /** Further promises of it that were broken. Called when job and settlement are over. */
  judge?(jobId: string): string[] | Promise<string[]>;
  /** What happens to the job while it runs; `since` is the number of the last effect before it. */
  during?(jobId: string, since: number): Promise<void>;
}

export const COMMON = {
  image: 'golem/alpine:latest',
  budget: '1',
  // Seconds, so that there are notes in a run of seconds.
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
  providers: { max: 2 },
  setup: [{ run: 'echo set up > /golem/work/setup' }],
};
