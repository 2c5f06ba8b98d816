/**
 * How a rental takes over a Golem activity that runs already: finds it, and has its settlement know who looks after it now,
 * before anything is done in it.
 */
import {
  ApplicationFailure,
  condition,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AttachRefusal, ResolvedAttach } from '../activities/contract';
import { ATTACH, REFUSALS, type Refusal } from '../model/control';
import { appendEvents, emptyEventLog, readEvents, type EventLog } from '../model/events';
import { settlementId } from '../model/ids';
import { inspect } from './activity-options';
import { quietly, startSettlement, type SettlementHandle } from './child-workflows';
import { namedFailure, type NamedFailure } from './failure-type';
import {
  attachedSignal,
  controlRefusedSignal,
  eventsQuery,
  rentalProgressQuery,
  reservationAnswerSignal,
  reservationSignal,
  type AttachInput,
  type OwnerAttached,
  type ReservationAnswer,
} from './protocol';
import { isReservationAnswer, sound } from './signal-input';
import { refusalEvent } from './state/refusal-event';
import { attachedRecord, type RentalRecord } from './state/rental-record';

/** So often what was found may change between the look and the word to its settlement. */
const TRIES = 5;

export interface Attached {
  record: RentalRecord;
  /** One that was started for it. */
  settlement?: SettlementHandle;
}

/** @throws as `golemResolveAttach` does */
export async function attachTo(input: AttachInput): Promise<Attached> {
  const { attach, connection, control, authorization } = input;
  const { workflowId, startTime } = workflowInfo();
  const askedAtMs = startTime.getTime();
  const provider = { id: '', name: '' };
  setHandler(rentalProgressQuery, () => ({ n: 0, workflowId, provider, state: 'attaching', tasksDone: 0 }));
  const log = listenForEvents();
  const topUps = new TopUps();
  for (let tries = 1; ; tries++) {
    let found: ResolvedAttach;
    try {
      found = await inspect.golemResolveAttach({ attach, connection, control, authorization, askedAtMs });
    } catch (error) {
      await tellRefusal(namedFailure(error), log);
      throw error;
    }
    let refused: NamedFailure | undefined;
    try {
      const { agreementId, nonce } = found;
      refused = await topUps.raise(found);
      if (!refused) {
        const settlement = await takeUp(found, { workflowId, agreementId, nonce });
        const record = attachedRecord({ attach, control }, found, workflowId);
        record.settlementRunId = settlement?.firstExecutionRunId;
        return { record, settlement };
      }
    } catch (error) {
      // Its settlement has ended meanwhile, or somebody else has started one.
      const isChanged = !found.settlement || namedFailure(error).type === 'JobIdInUse';
      if (!isChanged || tries >= TRIES) throw error;
    }
    if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.type);
  }
}

/** Has the settlement that lives reserve more, before anything else is asked of it. */
class TopUps {
  private answer: ReservationAnswer | undefined;

  constructor() {
    const onAnswer = (answer: ReservationAnswer): void => {
      if (answer.id === this.id) this.answer = answer;
    };
    setHandler(reservationAnswerSignal, sound('golemReservationAnswer', isReservationAnswer, onAnswer));
  }

  private get id(): string {
    return `attach/${workflowInfo().firstExecutionRunId}`;
  }

  private heard(): ReservationAnswer | undefined {
    return this.answer;
  }

  /**
   * @returns why it cannot; undefined when it is done, or was done before
   * @throws the settlement has ended meanwhile
   */
  async raise({ job, topUp }: ResolvedAttach): Promise<NamedFailure | undefined> {
    if (topUp === undefined) return undefined;
    this.answer = undefined;
    const { workflowId } = workflowInfo();
    const settlement = getExternalWorkflowHandle(settlementId(job.jobId));
    const request = { id: this.id, kind: 'topUp' as const, amount: topUp, answerTo: workflowId };
    // A repeat changes nothing, and tells whether somebody is there to answer.
    do await settlement.signal(reservationSignal, request);
    while (!(await condition(() => this.answer !== undefined, '1 minute')));
    return this.heard()?.failure;
  }
}

async function takeUp(
  { job, settlement }: ResolvedAttach,
  attached: OwnerAttached,
): Promise<SettlementHandle | undefined> {
  if (settlement) return await startSettlement({ ...settlement, attached: [attached] });
  await getExternalWorkflowHandle(settlementId(job.jobId)).signal(attachedSignal, attached);
  return undefined;
}

/** Kept where nobody else could be told. */
function listenForEvents(): EventLog {
  const log = emptyEventLog();
  setHandler(eventsQuery, (query) => readEvents(log, query));
  return log;
}

/** The owner reads it in the events of what pays for the VM; here it stands, too. */
async function tellRefusal({ type, details }: NamedFailure, log: EventLog): Promise<void> {
  if (type !== 'ControlRefused' && type !== 'ActivityForeign') return;
  const { workflowId } = workflowInfo();
  const [told, about] = (details ?? []) as [Refusal?, AttachRefusal?];
  const refusal: Refusal = type === 'ActivityForeign' ? 'OtherIdentity' : (told ?? 'OwnerIgnored');
  const refused = { workflowId, operation: ATTACH, refusal, key: about?.key };
  appendEvents(log, [refusalEvent(refused)]);
  if (about?.settlement === undefined) return;
  await quietly(getExternalWorkflowHandle(about.settlement).signal(controlRefusedSignal, refused));
}

/**
 * What an earlier run knew comes from that run alone: whoever makes it up would have a VM's control without being asked.
 * @throws ControlRefused
 */
export function refuseForged(): void {
  const { workflowId, continuedFromExecutionRunId, cronSchedule, attempt } = workflowInfo();
  // Temporal begins one anew with the input of its first run for these two, and says that it is continued.
  if (continuedFromExecutionRunId !== undefined && !cronSchedule && attempt === 1) return;
  appendEvents(listenForEvents(), [refusalEvent({ workflowId, operation: ATTACH, refusal: 'Forged' })]);
  throw ApplicationFailure.nonRetryable(`${ATTACH}: ${REFUSALS.Forged}`, 'ControlRefused', 'Forged');
}
