/** The states of a Golem activity, which command may follow which, and what yagna says when it may not. */

export type State = 'Initialized' | 'Deployed' | 'Ready' | 'Terminated' | 'Unresponsive';

/** Seconds between two signs of life that an activity gives its provider. */
export const HEARTBEAT_SEC = 1;

/** Present state, and the one a running command leads to. */
export type StatePair = [State, State | null];

/** As the API gives it. */
export interface ActivityState {
  state: StatePair;
  reason?: string;
  errorMessage?: string;
}

export class StateError extends Error {}

export class UnexpectedState extends StateError {
  constructor(current: string, expected: string) {
    super(`Unexpected state: ${current}, expected ${expected}`);
  }
}

/**
 * The state while a command runs.
 * @throws StateError - the command may not run now
 */
export function nextState([state]: StatePair, command: string): StatePair {
  if (state === 'Initialized') {
    if (command === 'deploy') return ['Initialized', 'Deployed'];
    throw new StateError('Activity is initialized - deploy() command is expected now');
  }
  if (state === 'Deployed') {
    if (command === 'start') return ['Deployed', 'Ready'];
    throw new StateError('Activity is deployed - start() command is expected now');
  }
  if (state === 'Terminated') {
    throw new StateError('This command is not allowed when activity is in the Terminated state');
  }
  if (command === 'deploy' || command === 'start') {
    throw new StateError('Cannot send command after a successful start()');
  }
  return ['Ready', 'Ready'];
}

/** As yagna's errors print it: `StatePair(Ready, Some(Ready))`. */
export function debugPair([state, next]: StatePair): string {
  return `StatePair(${state}, ${next ? `Some(${next})` : 'None'})`;
}
