/** What a rental does while it lives: brings a VM up and runs scripts in it one after the other, as they come. */
import { CancellationScope, condition } from '@temporalio/workflow';
import { MOST_VMS } from '../model/rental-limits';
import { inParts, nextOf } from './in-parts';
import { LEEWAY, VM_DIED, type Loss, type Rental } from './rental';
import type { Assignment, AssignmentOutcome } from './protocol';
import { bringUpVm, buryVm, dropVm, vmThatIsUp, watchVm, type Signed } from './rental-vm';
import { faultOf, type EndedScript, type Vm } from './script-runner';
import { followInherited, type RunningScript } from './state/rental-record';
import { earlierOf } from './state/script-parts';
import { HandPatience } from './hand-patience';
import { unlessStopped } from './unless-stopped';

/**
 * One script after the other, until the rental is closed, lost or detached.
 *
 * @returns true when it is none of these, and to be called again, best in a new run: nothing but the VM, and a script in it, is
 * under way then
 */
export async function work(rental: Rental, signed: Signed): Promise<boolean> {
  const { record } = rental;
  const watching = new CancellationScope();
  const bringUp = () => bringUpVm(rental, signed, watching);
  try {
    let vm = vmThatIsUp(rental, signed);
    if (vm) {
      const here = vm;
      void watching.run(() => watchVm(rental, here, signed.validToMs));
    } else vm = await rental.unlessStopped(bringUp);
    while (vm) {
      const here = vm;
      const patience = new HandPatience(rental);
      const goesOn = await runScripts(rental, here, patience).finally(() => patience.end());
      if (goesOn) {
        await rental.tellOutcomes();
        return true;
      }
      if (rental.death() !== undefined && !rental.isClosing() && !rental.loss())
        await mournIdleVm(rental, here);
      if (rental.isClosing() || rental.loss() || rental.isDetached) return false;
      // Nobody knows what a script whose sending is uncertain does there.
      if (!record.ended.includes(here.activityId)) {
        if (!(await rental.unlessStopped(() => dropVm(rental, here)))) return false;
      }
      // One that had to be made anew so often is not worth another try.
      if (record.ended.length >= MOST_VMS) {
        rental.lost ??= { type: 'VmLost', message: 'too many VMs had to be made anew' };
      }
      // A VM costs its start price: none is made without work for it.
      record.progress.state = 'ready';
      if (!record.terms.interactive) await condition(() => record.queue.length > 0 || rental.isInterrupted());
      if (rental.isInterrupted()) return false;
      vm = await rental.unlessStopped(bringUp);
    }
    // It died in the very moment when it was up.
    const died = rental.death();
    if (died !== undefined) rental.lost ??= { ...VM_DIED, message: died, fault: faultOf('dead', died) };
    return false;
  } finally {
    watching.cancel();
  }
}

/**
 * Runs scripts as they come, beginning with the one that an earlier run has left under way.
 * @returns false when the rental is closed, lost or detached, or a fresh VM is needed; true when it is to go on as a new run
 */
async function runScripts(rental: Rental, vm: Vm, patience: HandPatience): Promise<boolean> {
  const { record } = rental;
  const { progress, queue } = record;
  for (;;) {
    if (!record.running) followInherited(record, Date.now());
    if (!record.running) {
      await condition(() => queue.length > 0 || rental.isInterrupted() || rental.isToGoOn());
      if (rental.isInterrupted()) return false;
      if (rental.isToGoOn()) return true;
    }
    const begun = record.running ?? queue.shift();
    if (!begun) return false;
    if (rental.hasMoreInHand || rental.hasUntold()) patience.begin();
    const { id, task, timeoutSec } = begun;
    const isNew = 'commands' in begun;
    const since = isNew ? begun.since?.startedAt : begun.startedAt;
    const startedAt = since ?? new Date().toISOString();
    let done: EndedScript | undefined;
    if (isNew) {
      // Its job did not know yet that the files of tasks before it went with a VM.
      if ((begun.vmsDied ?? record.deaths) !== record.deaths) {
        await rental.giveBack(begun, VM_DIED, { vmsDied: record.deaths });
        continue;
      }
      if (begun.fresh) {
        if (await isFreshToCome(rental, begun)) return false;
        continue;
      }
      progress.currentTask = task;
      progress.state = 'busy';
      rental.show();
      const { pauseMs } = begun;
      if (pauseMs && (await condition(() => rental.isInterrupted(), pauseMs))) {
        queue.unshift(begun);
        return false;
      }
      const sent = await rental.unlessStopped(() => rental.runner.begin(vm, inParts(rental, begun)));
      if (sent === 'notSent') {
        progress.currentTask = undefined;
        queue.unshift(begun);
        continue;
      }
      if (sent !== 'sent') done = sent;
    }
    const { running } = record;
    if (running && !done) {
      // It is not over in a moment: the job had better know what was before.
      if (rental.hasUntold()) rental.say(() => rental.tellOutcomes());
      if (!rental.hasMoreInHand) patience.end();
      const isEnough = () => rental.isInterrupted() || rental.isToGoOn(LEEWAY);
      done = await unlessStopped(isEnough, () => rental.runner.follow(vm, running));
    }
    // The next run goes on with it, or whoever attaches.
    if (!done && !rental.isStopped()) {
      if (rental.isDetached) return false;
      if (rental.isToGoOn()) return true;
      continue;
    }
    const script = running?.inParts ?? (isNew ? begun : undefined);
    const next = done && script && nextOf(rental, done, script);
    if (next) {
      if (done?.event) rental.note([done.event]);
      record.running = undefined;
      queue.unshift(next);
      continue;
    }
    const told = { startedAt, batchId: running?.batchId, ...earlierOf(script?.parts) };
    record.running = undefined;
    progress.currentTask = undefined;
    progress.currentBatch = undefined;
    if (!done && rental.isClosing()) return false;
    if (done?.event) rental.note([done.event]);
    if (done?.vm === 'dead') rental.died ??= done.outcome.reason;
    if (!done || done.vm === 'dead') {
      const lost = rental.loss();
      if (!lost) await loseVm(rental, vm, { id, task, ...told }, done);
      // The job gives the task to somebody else at once; closing may take until a silent provider's agreement ends.
      else await rental.giveBack({ id, task }, lost, told);
      return false;
    }
    const { outcome } = done;
    if (outcome.state === 'done') progress.tasksDone += 1;
    const isSoonMore = outcome.state === 'done' && done.vm === undefined && rental.hasMoreInHand;
    const isFreshNext = outcome.state === 'uncertain' && !isVmKept(begun);
    if (!isSoonMore) patience.end();
    const isOfJob = await rental.tellOutcome(outcome, isSoonMore || isFreshNext);
    if (isFreshNext) {
      // Nothing in hand need wait for a fresh VM.
      await rental.partWithHand();
      return false;
    }
    if (outcome.state === 'lost' || done.vm !== undefined) {
      record.told = isOfJob;
      const message = outcome.reason ?? 'the VM is gone';
      rental.lost ??=
        outcome.state === 'timedOut'
          ? {
              type: 'TaskTimedOut',
              message: `${isOfJob ? 'task' : 'script'} ${task} ran longer than its ${timeoutSec} s`,
            }
          : { type: 'VmLost', message, fault: outcome.fault };
      return false;
    }
    progress.state = 'ready';
    rental.show();
  }
}

/** A VM is made anew only where there may be one: the script goes back to be the next then. */
async function isFreshToCome(rental: Rental, script: Assignment): Promise<boolean> {
  const failure = rental.whyNoMoreVms(false);
  if (!failure) rental.record.queue.unshift({ ...script, fresh: undefined });
  else
    rental.outside.end({
      scriptId: script.id,
      state: 'returned',
      results: [],
      reason: failure.message,
      failure,
    });
  return !failure;
}

/** What may run there is for the user of an interactive VM to judge, unless he wants a fresh one then. */
function isVmKept(begun: RunningScript | Assignment): boolean {
  return begun.scriptId !== undefined && 'onUncertain' in begun && begun.onUncertain !== 'freshVm';
}

/** The VM died under a task. Its job begins the task's group again, in a fresh VM if there may be one. */
async function loseVm(
  rental: Rental,
  vm: Vm,
  begun: Pick<AssignmentOutcome, 'id' | 'task' | 'startedAt' | 'batchId' | 'earlierBatches' | 'checkpoints'>,
  done?: EndedScript,
): Promise<void> {
  const { task, startedAt, batchId, earlierBatches, checkpoints } = begun;
  const message = rental.died ?? VM_DIED.message;
  await buryVm(rental, vm, task);
  const why: Loss = { ...VM_DIED, message, fault: faultOf('dead', message, task) };
  const parts = { batchId, earlierBatches, checkpoints };
  const more = { activityId: vm.activityId, ...parts, ...done?.outcome, startedAt };
  const { deaths } = rental.record;
  const lost = rental.loss();
  if (lost?.type === 'AgreementEnded') await rental.giveBack(begun, lost, more);
  else if (lost || rental.isClosing()) await rental.giveBack(begun, why, more);
  else {
    await rental.giveBack(begun, why, { ...more, vmsDied: deaths });
    await rental.giveBackQueue(VM_DIED, deaths);
  }
}

async function mournIdleVm(rental: Rental, vm: Vm): Promise<void> {
  const message = rental.died ?? VM_DIED.message;
  await buryVm(rental, vm);
  if (rental.loss() || rental.isClosing()) return;
  const { deaths } = rental.record;
  await rental.giveBackQueue({ ...VM_DIED, message }, deaths);
  await rental.enter('ready', undefined, undefined, { vmsDied: deaths, fault: faultOf('dead', message) });
}
