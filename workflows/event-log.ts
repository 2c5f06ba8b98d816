/** The events that a workflow keeps, told to its worker as well, for whoever listens there. */
import { proxySinks, workflowInfo, type Sinks } from '@temporalio/workflow';
import { appendEvents, type EventLog, type GolemEvent, type NewEvent } from '../model/events';

export interface EventSinks extends Sinks {
  golemEvents: {
    kept(jobId: string, events: GolemEvent[]): void;
  };
}

const { golemEvents } = proxySinks<EventSinks>();

/** Appends events to the log of one of the job's workflows. */
export function keepEvents(jobId: string, log: EventLog, events: readonly NewEvent[]): void {
  const { next } = log;
  appendEvents(log, events);
  if (workflowInfo().unsafe.isReplaying) return;
  // Numbered anew: of very many the log has dropped some.
  if (events.length > 0) golemEvents.kept(jobId, numbered(events, next));
}

function numbered(events: readonly NewEvent[], from: number): GolemEvent[] {
  return events.map((event, i) => ({ seq: from + i, ...event }));
}
