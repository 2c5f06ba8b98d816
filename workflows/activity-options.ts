/**
 * The Temporal activities as workflows call them: for each effect its queue, timeouts and retries, and why.
 * Requests to yagna end after 15 s on our side; `startToClose` leaves room for the few that one activity makes.
 */
import { ActivityCancellationType, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { GolemActivities } from '../activities/contract';
import { watchQueueOf } from '../model/ids';

/**
 * Waits between attempts where the activity did not say so itself (its failures do, with jitter): after its worker's
 * death, that is.
 */
const backoff = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '30 s' } as const;

/**
 * Reads only (registry, identity, what is to be attached to), repeated at will. Short, unless an image is given by URL without its hash and has
 * to be downloaded for it; a worker's death shows in 10 s all the same.
 */
export const inspect = proxyActivities<Pick<GolemActivities, 'golemPrepareJob' | 'golemResolveAttach'>>({
  startToCloseTimeout: '2 h',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** Somebody waits for the answer: what cannot be had in a few attempts is told. */
const FEW_ATTEMPTS = { ...backoff, maximumAttempts: 3 };

/** The same for an estimate. */
export const previewing = proxyActivities<Pick<GolemActivities, 'golemPrepareJob'>>({
  startToCloseTimeout: '30 min',
  heartbeatTimeout: '10 s',
  retry: FEW_ATTEMPTS,
});

/** A look at the market, or at yagna itself. */
export const scanning = proxyActivities<Pick<GolemActivities, 'golemScanMarket' | 'golemInspectYagna'>>({
  startToCloseTimeout: '10 min',
  heartbeatTimeout: '6 s',
  retry: FEW_ATTEMPTS,
});

/** A document is tried for half a minute; the settlement tries it again later, and goes on with the others. */
export const deciding = proxyActivities<Pick<GolemActivities, 'golemDecideDocument'>>({
  scheduleToCloseTimeout: '45 s',
  startToCloseTimeout: '30 s',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** The end of a job must not wait for a yagna that is away: the settlement unsubscribes what is left. */
export const unsubscribing = proxyActivities<Pick<GolemActivities, 'golemUnsubscribeDemands'>>({
  scheduleToCloseTimeout: '30 s',
  startToCloseTimeout: '20 s',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** Whoever detaches is told what becomes of the VM, if yagna can say so at once. */
export const detaching = proxyActivities<Pick<GolemActivities, 'golemDescribeDetach'>>({
  scheduleToCloseTimeout: '20 s',
  startToCloseTimeout: '15 s',
  heartbeatTimeout: '6 s',
  retry: backoff,
});

/** A worker's memory of providers: not worth waiting for. */
export const avoiding = proxyActivities<Pick<GolemActivities, 'golemAvoidProvider'>>({
  scheduleToCloseTimeout: '30 s',
  startToCloseTimeout: '10 s',
  heartbeatTimeout: '6 s',
  retry: backoff,
});

/** Reads only, and somebody waits for the answer. */
export const verifying = proxyActivities<Pick<GolemActivities, 'golemVerifyControl'>>({
  scheduleToCloseTimeout: '60 s',
  startToCloseTimeout: '10 s',
  heartbeatTimeout: '6 s',
  retry: backoff,
});

/** A page of a file of tasks. Given up never, unless the file is gone or has changed. */
export const readingTasks = proxyActivities<Pick<GolemActivities, 'golemReadTasks'>>({
  startToCloseTimeout: '30 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** A part of the results. Tried a few times, so that the job can say that it is not taken; then again. */
export const writingResults = proxyActivities<Pick<GolemActivities, 'golemWriteResults'>>({
  startToCloseTimeout: '2 min',
  heartbeatTimeout: '10 s',
  retry: { ...backoff, maximumAttempts: 5 },
});

/** The same at the end of a job, which somebody waits for. */
export const writingLastResults = proxyActivities<Pick<GolemActivities, 'golemWriteResults'>>({
  scheduleToCloseTimeout: '15 s',
  startToCloseTimeout: '10 s',
  heartbeatTimeout: '6 s',
  retry: backoff,
});

/** Money: look, act, look. A worker's death shows in 10 s; never given up, since money hangs on it. */
export const payment = proxyActivities<
  Pick<GolemActivities, 'golemReserveAllocation' | 'golemReleaseAllocation'>
>({
  startToCloseTimeout: '2 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/**
 * Changing what is reserved: nothing is paid meanwhile, so it is not tried for long at a time; the settlement tries it
 * again later.
 */
export const amending = proxyActivities<Pick<GolemActivities, 'golemAmendAllocation'>>({
  scheduleToCloseTimeout: '45 s',
  startToCloseTimeout: '30 s',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** Clean-up on yagna by mark: idempotent, may talk to many silent providers one after the other. */
export const cleanUp = proxyActivities<Pick<GolemActivities, 'golemCleanUp' | 'golemCloseRental'>>({
  startToCloseTimeout: '10 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** Reads much of yagna and Temporal, and changes nothing. The next run comes anyway, so this one gives up some time. */
export const finding = proxyActivities<Pick<GolemActivities, 'golemFindOrphans'>>({
  scheduleToCloseTimeout: '1 h',
  startToCloseTimeout: '20 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/** A VM is ended for a fresh one to be made: waits for a yagna that is away, and gives a silent provider up. */
export const dropping = proxyActivities<Pick<GolemActivities, 'golemDestroyVm'>>({
  startToCloseTimeout: '2 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/**
 * Signing waits for the provider for up to a minute; what an attempt left is found by proposal and `validTo`. Called off, it
 * ends what it has made, which takes its rental's being there: of a workflow that is over no activity is cancelled.
 */
export const signing = proxyActivities<Pick<GolemActivities, 'golemSignAgreement'>>({
  startToCloseTimeout: '5 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Creating a VM takes a provider seconds, some a minute; the activity knows when another provider is better. */
export const vmCreation = proxyActivities<Pick<GolemActivities, 'golemCreateVm'>>({
  startToCloseTimeout: '5 min',
  heartbeatTimeout: '10 s',
  retry: backoff,
});

/**
 * Sending a script is never repeated by Temporal: a second one could run it twice. The workflow decides. A worker that seems dead
 * makes its outcome uncertain, which costs a VM: one that only stands still for some seconds must not.
 */
export const sending = proxyActivities<Pick<GolemActivities, 'golemSendScript'>>({
  startToCloseTimeout: '30 s',
  heartbeatTimeout: '15 s',
  retry: { maximumAttempts: 1 },
});

const watchQueue = (): string => watchQueueOf(workflowInfo().taskQueue);

type WatchOptions = { heartbeat: `${number} s` };

function watchOptions({ heartbeat }: WatchOptions) {
  return {
    taskQueue: watchQueue(),
    // A watch lasts as long as what it watches; the activity itself ends at its own deadline.
    startToCloseTimeout: '365 days',
    heartbeatTimeout: heartbeat,
    retry: backoff,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  } as const;
}

/** A round of negotiation: its worker's death must show in seconds, its answers are waited for by the job. */
export const negotiation = () =>
  proxyActivities<Pick<GolemActivities, 'golemNegotiate'>>(watchOptions({ heartbeat: '6 s' }));

/** A script's watch: its worker's death must show in seconds. */
export const scriptWatch = () =>
  proxyActivities<Pick<GolemActivities, 'golemWatchScript'>>(watchOptions({ heartbeat: '6 s' }));

/** An idle VM's watch: beats rarely, because a rental may idle for days. */
export const rentalWatch = () =>
  proxyActivities<Pick<GolemActivities, 'golemWatchRental'>>(watchOptions({ heartbeat: '120 s' }));

/** Workflows of a job that it is not the parent of any more: their end is rare, and their settlement sees to what they left. */
export const workflowWatch = () =>
  proxyActivities<Pick<GolemActivities, 'golemWatchWorkflows'>>(watchOptions({ heartbeat: '30 s' }));

/**
 * A debit note must be accepted in the time agreed, so a dead worker may go unnoticed for a quarter of that, or as long as leaves
 * two minutes of it, but for two minutes at most; for one where only invoices are awaited.
 */
export function settlementWatch({
  acceptanceTimeoutSec = 240,
  isInvoiceDue,
}: {
  acceptanceTimeoutSec?: number;
  isInvoiceDue: boolean;
}) {
  const leavesTime = Math.floor(Math.max(acceptanceTimeoutSec / 4, acceptanceTimeoutSec - 120));
  const mostSec = isInvoiceDue ? 60 : 120;
  return proxyActivities<Pick<GolemActivities, 'golemWatchSettlement'>>(
    watchOptions({ heartbeat: `${Math.max(6, Math.min(mostSec, leavesTime))} s` }),
  );
}
