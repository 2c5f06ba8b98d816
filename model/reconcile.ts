/** What `golemReconcile` is given and returns: what yagna still holds of jobs that nobody looks after. Plain data. */
import type { Amount } from './ids';
import type { ProviderInfo } from './result';

/** Input of `golemReconcile`. */
export interface ReconcileInput {
  /** Which yagna of the worker. Default `default`. */
  connection?: string;
  /** Only list; change nothing. Default false. */
  dryRun?: boolean;
  /**
   * What is younger, seconds, is left alone where Temporal does not know its job: it may only not list it yet. Default
   * 3600. What belongs to a job that is known to be over is closed at any age.
   */
  olderThanSec?: number;
}

export type OrphanKind = 'demand' | 'agreement' | 'golemActivity' | 'invoice' | 'allocation';

/** Something that bears our owner's mark, and that no workflow looks after. */
export interface Orphan {
  kind: OrphanKind;
  /** yagna's id of it. */
  id: string;
  /** Absent where Temporal does not know the job any more. */
  jobId?: string;
  jobUuid: string;
  /** Absent where no provider is concerned. */
  provider?: ProviderInfo;
  /** By yagna's clock; an invoice's by its provider's. */
  ageSec: number;
  /** GLM. What it means is `costIs`. */
  cost: Amount;
  /**
   * `billed`: its newest bill. `atMost`: no bill yet, the agreement's price for all threads until now. `reserved`: what is
   * left of an allocation. `nothing`: it costs nothing by itself.
   */
  costIs: 'billed' | 'atMost' | 'reserved' | 'nothing';
  /** Why it stays as it is. Absent where it is closed, decided or released. */
  left?: string;
}

/** What `golemReconcile` returns. */
export interface ReconcileResult {
  /** At most 1,000 are listed. */
  orphans: Orphan[];
  /** Orphans beyond those listed. */
  more: number;
  /** Workflow ids of the settlements that now close them; they go on alone. */
  settlements: string[];
}
