/**
 * What a run is judged by: the devnet's own record of effects and payments, what is open on it, and what the job and its
 * settlement returned. Plain data, so that a test of the judge can make it up.
 */
import type { Devnet, Effect, LedgerEntry, OpenThings } from '../../devnet';
import type { OnUncertain } from '../../model/job';
import type { JobResult, SettlementResult, TaskResult } from '../../model/result';
import type { ScriptOutcome } from '../../model/script';
import { isAllPaid } from './money-verdict';

export interface JobEvidence {
  /** GLM, a decimal; where the budget may be topped up, all that it may come to. */
  budget: string;
  tasks: TaskEvidence[];
  /** Every task must be done. Default true; false for jobs that were cancelled, say. */
  mustBeDone?: boolean;
  /** What the job returned; undefined where it returned nothing: it was terminated, cancelled, or failed. */
  result?: JobResult;
  /** Undefined where the settlement was terminated, and somebody else ended the job's money. */
  settlement?: SettlementResult;
  /** In the order in which they were sent; one that is uncertain may have been sent again. Default: none. */
  scripts?: readonly ScriptEvidence[];
}

export interface TaskEvidence {
  name: string;
  /** What its last command prints when it is done. Undefined: anything. */
  stdout?: string;
  /** Default `freshVm`, as in a spec. */
  onUncertain?: OnUncertain;
  /** The name of the VM that it shares with others, as in a spec. */
  vm?: string;
  /** How it must end, where the job must be done. Default `done`. */
  ends?: TaskResult['state'];
}

/** A script that came to a rental of the job by Update. */
export interface ScriptEvidence {
  /** For people to read. */
  what: string;
  /** What the rental says of it. */
  outcome: ScriptOutcome;
  /** What its last command must print. Undefined: anything. */
  stdout?: RegExp;
  /** A task's, which went on under another rental: the task's attempt knows it. */
  isInherited?: boolean;
}

export interface Evidence {
  /** Of the run alone, oldest first. */
  effects: readonly Effect[];
  /** May begin before the run: only what was paid for the run's agreements is looked at. */
  ledger: readonly LedgerEntry[];
  open: OpenThings['counts'];
  /** All jobs of the run. */
  jobs: JobEvidence[];
  /**
   * How many requests to create an allocation may take effect besides one a job, because their answers got lost:
   * so many may be alive beside the one that is kept, for as long as nobody has looked. Default 0.
   */
  lostReservations?: number;
}

/** How long what is owed may remain unpaid once all is over. */
const PAYMENT_LIMIT_MS = 30_000;

/** Sequence number of the newest effect: what comes later belongs to the run. */
export function lastSeq(devnet: Devnet): number {
  return devnet.effects.all().at(-1)?.seq ?? 0;
}

/** Takes down what the devnet knows, once it has paid what was accepted. */
export async function takeEvidence(
  devnet: Devnet,
  since: number,
  judged: Omit<Evidence, 'effects' | 'ledger' | 'open'>,
): Promise<Evidence> {
  const signal = AbortSignal.timeout(PAYMENT_LIMIT_MS);
  for (;;) {
    const effects = devnet.effects.all(since);
    const ledger = devnet.ledger.after();
    if (signal.aborted || isAllPaid(effects, ledger)) {
      return { effects, ledger, open: devnet.open().counts, ...judged };
    }
    // Whether it is paid in time is for the verdict to say.
    await devnet.effects.next('paid', effects.at(-1)?.seq, { signal }).catch(() => undefined);
  }
}
