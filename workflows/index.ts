/** The workflows of this package. Re-export them from your own workflows file to run them in your own worker. */
export { golemJob } from './golem-job';
export { golemInspect } from './golem-inspect';
export { golemReconcile } from './golem-reconcile';
export { golemRental } from './golem-rental';
export { golemSettlement } from './golem-settlement';
