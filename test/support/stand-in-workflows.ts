/** Workflows with the names, queries and results of a job's, which do what a test tells them and no more. */
import {
  ApplicationFailure,
  ParentClosePolicy,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import {
  appendEvents,
  carryEvents,
  readEvents,
  resumeEvents,
  type EventLog,
  type EventsQuery,
  type NewEvent,
} from '../../model/events';
import { rentalId, settlementId } from '../../model/ids';

const events = defineQuery<unknown, [EventsQuery?]>('events');
const progress = defineQuery<unknown>('progress');
const tell = defineSignal<[NewEvent[]]>('tell');
const end = defineSignal<[unknown]>('end');
/** Goes on as a new run, with so many bytes of its events at most. */
const again = defineSignal<[number?]>('again');
/** Answered when the settlement runs, if there is one. */
const ready = defineUpdate<void>('ready');
/** Answered when the new rental runs. */
const rent = defineUpdate<void>('rent');

const COST = { at: '2026-01-01T00:00:00.000Z', accrued: '0', perHour: '0' };
const money = (accepted: string) => ({ budget: '5', reserved: '5', accepted, paid: '0', platform: 'p' });

/** Answers queries from the start; `obey` waits for the end, or goes on as a new run. */
function puppet(
  answer: () => unknown,
  carried?: EventLog,
): { obey: (restart: (log: EventLog) => Promise<never>) => Promise<unknown> } {
  const log = resumeEvents(carried);
  let result: { value: unknown } | undefined;
  let carry: EventLog | undefined;
  setHandler(progress, answer);
  setHandler(events, (query) => readEvents(log, query));
  setHandler(tell, (told) => appendEvents(log, told));
  setHandler(end, (value) => {
    result = { value };
  });
  setHandler(again, (limitBytes) => {
    carry = carryEvents(log, limitBytes);
  });
  return {
    obey: async (restart) => {
      await condition(() => result !== undefined || carry !== undefined);
      return result || !carry ? result?.value : restart(carry);
    },
  };
}

export async function golemJob(
  spec: { fail?: string; settlement?: boolean; low?: { reserved: string } },
  carried?: EventLog,
): Promise<unknown> {
  const { workflowId: jobId, firstExecutionRunId } = workflowInfo();
  const rentals: { n: number; workflowId: string }[] = [];
  const phase = spec.settlement ? 'running' : 'validating';
  const low = spec.low && { ...spec.low, low: true };
  const known = { ...money('0'), ...low };
  const { obey } = puppet(() => ({ jobId, phase, money: known, cost: COST, rentals }), carried);
  const child = { parentClosePolicy: ParentClosePolicy.ABANDON, memo: { golemJob: firstExecutionRunId } };
  setHandler(rent, async () => {
    const n = rentals.length + 1;
    rentals.push({ n, workflowId: rentalId(jobId, n) });
    await startChild(golemRental, { ...child, workflowId: rentalId(jobId, n), args: [] });
  });
  let started = spec.settlement !== true;
  setHandler(ready, () => condition(() => started));
  if (spec.settlement) {
    await startChild(golemSettlement, { ...child, workflowId: settlementId(jobId), args: [] });
    started = true;
  }
  if (spec.fail) throw ApplicationFailure.nonRetryable('tasks: must not be empty', spec.fail);
  return obey((log) => continueAsNew<typeof golemJob>({ settlement: false }, log));
}

export async function golemSettlement(carried?: EventLog): Promise<unknown> {
  const { obey } = puppet(() => ({ money: money('1.25') }), carried);
  return obey((log) => continueAsNew<typeof golemSettlement>(log));
}

export async function golemRental(carried?: EventLog): Promise<unknown> {
  return puppet(() => ({}), carried).obey((log) => continueAsNew<typeof golemRental>(log));
}
