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

/** The sink must be there also where nobody listens: Temporal complains of one that is not. */
export function eventSinks(target: EventTarget | undefined): InjectedSinks<EventSinks> {
  return {
    golemEvents: {
      kept: {
        fn({ workflowId }, jobId, events) {
          for (const event of target ? events : [])
            target?.dispatchEvent(new GolemEventNotice({ jobId, workflowId, event }));
        },
        callDuringReplay: false,
      },
    },
  };
}
