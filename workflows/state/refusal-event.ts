/** The event by which an owner sees that somebody tried what only he may. */
import { REFUSALS } from '../../model/control';
import type { NewEvent } from '../../model/events';
import type { ControlRefusal } from '../protocol';

/** @param reason - Default: what the refusal means */
export function refusalEvent(
  { workflowId, operation, refusal, key }: ControlRefusal,
  reason = `${operation}: ${REFUSALS[refusal]}`,
): NewEvent {
  const details = { workflowId, operation, refusal, reason, key: key ?? undefined };
  return { name: 'ControlRefused', at: new Date().toISOString(), details };
}
