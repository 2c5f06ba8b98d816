/** Hands the events of jobs to an EventTarget in the worker's process, by a sink of the workflows that keep them. */
import type { InjectedSinks } from '@temporalio/worker';
import type { EventName, GolemEvent } from '../model/events';
import type { EventSinks } from '../workflows/event-log';

export interface GolemEventDetail {
  jobId: string;
  /** Of the workflow that keeps it: the job, its settlement or one of its rentals. */
  workflowId: string;
  event: GolemEvent;
}

/** What listeners get; its `type` is the event's name, such as `AgreementCreated`. */
export class GolemEventNotice extends Event {
  declare readonly type: EventName;

  constructor(readonly detail: GolemEventDetail) {
    super(detail.event.name);
  }
}

/** How many events are remembered, of all jobs: those of a workflow task that is done over come within seconds. */
const REMEMBERED = 1000;

/**
 * The sink must be there also where nobody listens: Temporal complains of one that is not. A workflow task that fails when it
 * is done (a signal came meanwhile, say) is done over, and keeps its events again: one that is the same is told once.
 */
export function eventSinks(target: EventTarget | undefined): InjectedSinks<EventSinks> {
  const told = new Set<string>();
  return {
    golemEvents: {
      kept: {
        fn({ workflowId, firstExecutionRunId }, jobId, events) {
          if (!target) return;
          for (const event of events) {
            const { seq, name, details } = event;
            const key = JSON.stringify([firstExecutionRunId, seq, name, details]);
            if (told.has(key)) continue;
            told.add(key);
            if (told.size > REMEMBERED) told.delete(told.values().next().value ?? '');
            target.dispatchEvent(new GolemEventNotice({ jobId, workflowId, event }));
          }
        },
        callDuringReplay: false,
      },
    },
  };
}
