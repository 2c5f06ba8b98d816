/** How an activity ends, and what its state says of that. */
import type { ActivityState } from './activity-state';
import type { Script } from './script';

/** At the requestor's or agreement's word, because its VM or the daemon went away, or with its provider and all. */
export type Ending = 'destroyed' | 'terminated' | 'aborted' | 'lost';

/** Whether its VM went without a word: nothing more is heard of what it was at. */
export function isSudden(ending: Ending | undefined): boolean {
  return ending === 'aborted' || ending === 'lost';
}

/** What state and errors say of a VM that died, or was cut off by its machine's restart. */
export const ABORTED = { reason: 'execution aborted', errorMessage: 'exit code None' };

/** @param scripts all that it was sent, as they are when it ends */
export function endState(ending: Ending, scripts: Script[]): ActivityState {
  // There is nobody left who could say that it has ended.
  if (ending === 'lost') return { state: ['Unresponsive', null] };
  const why = { destroyed: {}, terminated: { reason: interruptedBySignal(scripts) }, aborted: ABORTED };
  return { state: ['Terminated', null], ...why[ending] };
}

function interruptedBySignal(scripts: Script[]): string {
  const batchesDone = scripts.filter((script) => script.over).length;
  const commandsDone = scripts.reduce((total, script) => total + script.finished, 0);
  const commands = scripts.reduce((total, script) => total + script.commands.length, 0);
  const report = {
    batches_done: batchesDone,
    batches_pending: scripts.length - batchesDone,
    cmds_done: commandsDone,
    cmds_pending: commands - commandsDone,
  };
  return `Interrupted by signal: 15: ${JSON.stringify(report)}`;
}
