/**
 * VMs beside the first one, under the same agreement: each has a name by which scripts from outside ask for it, is made for
 * the first of them, and runs its own one after the other while the others run theirs. What befalls it is told by its
 * scripts' outcomes, and ends nothing else.
 */
import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import { rentalWatch } from './activity-options';
import type { CommandResult } from '../model/result';
import { namedFailure, type NamedFailure } from './failure-type';
import { inParts, nextOf, resultsSoFar } from './in-parts';
import type { Assignment, ScriptEnd } from './protocol';
import type { Rental } from './rental';
import { createVm, deployVm, destroyVm, VmFailed, type Signed } from './rental-vm';
import { ScriptRunner, type EndedScript, type Vm } from './script-runner';
import type { NamedVm } from './state/rental-record';
import { unlessStopped } from './unless-stopped';

/** Looks after all of them, for as long as the rental lives. */
export async function keepNamedVms(rental: Rental, signed: Signed): Promise<void> {
  const { record } = rental;
  const kept = new Set<NamedVm>();
  const isNew = (vm: NamedVm) => !kept.has(vm);
  for (;;) {
    await condition(() => isEnding(rental) || record.named.some(isNew));
    if (isEnding(rental)) return;
    for (const vm of record.named.filter(isNew)) {
      kept.add(vm);
      void keep(rental, signed, vm).catch((error: unknown) => {
        if (!isCancellation(error)) rental.lost ??= namedFailure(error);
      });
    }
  }
}

/** When the first VM dies, the rental ends: also what is beside it. */
const isEnding = (rental: Rental): boolean => rental.over || rental.isInterrupted();

/** One script after the other. */
async function keep(rental: Rental, signed: Signed, vm: NamedVm): Promise<void> {
  const { queue } = vm;
  let watching = watch(rental, signed, vm);
  try {
    for (;;) {
      await condition(() => isEnding(rental) || (!rental.leaving && (queue.length > 0 || !!vm.running)));
      if (isEnding(rental)) return;
      if (!vm.running) {
        const script = queue[0];
        if (!script) continue;
        if (script.fresh) {
          await drop(rental, signed, vm);
          vm.gone = undefined;
          queue[0] = { ...script, fresh: undefined };
          continue;
        }
        if (vm.gone !== undefined) {
          const message = `VM "${vm.name}" is gone: ${vm.gone}; ask for a fresh one`;
          returnNext(rental, vm, { type: 'VmLost', message });
          continue;
        }
        const { pauseMs } = script;
        const isOff = () => isEnding(rental) || rental.leaving || vm.gone !== undefined;
        if (pauseMs && (await condition(isOff, pauseMs))) continue;
        const isSent = await rental.comingUp(async () => {
          if (vm.activityId === undefined) {
            await bringUp(rental, signed, vm);
            watching.cancel();
            watching = watch(rental, signed, vm);
          }
          return await begin(rental, signed, vm);
        });
        if (!isSent) continue;
      }
      await follow(rental, signed, vm);
    }
  } finally {
    watching.cancel();
    endScripts(rental, vm);
  }
}

/** Takes the next script; one that cannot have its VM comes back with the reason. */
async function begin(rental: Rental, signed: Signed, vm: NamedVm): Promise<boolean> {
  const [next] = vm.queue;
  const here = vmOf(signed, vm);
  if (!next || !here) return false;
  const script = inParts(rental, next);
  const { job, n, outputLimitBytes } = rental.record.terms;
  const runner = new ScriptRunner({
    ...{ job, rental: n, outputLimitBytes, note: (events) => rental.note(events) },
    isClosing: () => isEnding(rental) || vm.gone !== undefined,
    isCalledOff: () => rental.leaving || rental.isDetached,
    onSent: (running) => {
      vm.running = running;
      rental.outside.sent(running.id);
    },
  });
  const sent = await runner.begin(here, script);
  if (sent === 'notSent') return false;
  vm.queue.shift();
  if (sent === 'sent') return true;
  vm.running = undefined;
  await goOn(rental, signed, vm, sent, script);
  return false;
}

async function bringUp(rental: Rental, signed: Signed, vm: NamedVm): Promise<void> {
  try {
    // Where there is room for one only, that is the first.
    await condition(() => isEnding(rental) || rental.isFirstUp());
    if (isEnding(rental)) return;
    // A detach waits for its id: what nobody knows of would be billed until the agreement ends.
    const created = await rental.unlessStopped(() =>
      createVm(rental, signed, (id) => (vm.activityId = id), true),
    );
    if (!created) return;
    const isOff = () => isEnding(rental);
    const isUp = await unlessStopped(isOff, async () => {
      await deployVm(rental, { agreementId: signed.agreementId, activityId: created.activityId });
      return true;
    });
    // Half made, it is of no use to whoever comes after.
    if (!isUp && isLeftAlive(rental)) await drop(rental, signed, vm);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure =
      error instanceof VmFailed ? { type: 'VmNotCreated', message: error.message } : namedFailure(error);
    await drop(rental, signed, vm);
    returnNext(rental, vm, failure);
  }
}

/** Waits for the end of its script, or for the next run of the rental to do that. */
async function follow(rental: Rental, signed: Signed, vm: NamedVm): Promise<void> {
  const { running } = vm;
  const here = vmOf(signed, vm);
  if (!running || !here) return;
  rental.following += 1;
  const isInterrupted = () => isEnding(rental) || rental.leaving || vm.gone !== undefined;
  const done = await unlessStopped(isInterrupted, () => rental.runner.follow(here, running)).finally(() => {
    rental.following -= 1;
  });
  if (done) {
    vm.running = undefined;
    await goOn(rental, signed, vm, done, running.inParts);
  } else if (vm.gone !== undefined && !isEnding(rental)) {
    vm.running = undefined;
    lose(rental, running, { type: 'VmLost', message: vm.gone });
    await drop(rental, signed, vm);
  }
}

/** A script, or a part of it, has ended: with its next part, or with what it came to. */
async function goOn(
  rental: Rental,
  signed: Signed,
  vm: NamedVm,
  done: EndedScript,
  script: Assignment | undefined,
): Promise<void> {
  if (done.event) rental.note([done.event]);
  const next = script && nextOf(rental, done, script);
  if (next) vm.queue.unshift(next);
  else await tell(rental, signed, vm, done);
}

async function tell(
  rental: Rental,
  signed: Signed,
  vm: NamedVm,
  { outcome, vm: after }: EndedScript,
): Promise<void> {
  rental.outside.finish(outcome);
  const { state, reason = state } = outcome;
  if (after === undefined && state !== 'lost') return;
  vm.gone ??= reason;
  await drop(rental, signed, vm);
}

/** Notices its end, also when nothing runs in it. That of the agreement the watch of the first VM tells. */
function watch(rental: Rental, { agreementId, validToMs }: Signed, vm: NamedVm): CancellationScope {
  const scope = new CancellationScope();
  const { activityId } = vm;
  const look = async (): Promise<void> => {
    if (activityId === undefined) return;
    const { job } = rental.record.terms;
    const news = await rentalWatch().golemWatchRental({ job, agreementId, activityId, validToMs });
    if (news.ended === 'agreement' || vm.activityId !== activityId) return;
    rental.note(news.events);
    vm.gone ??= news.reason;
  };
  void scope.run(look).catch(() => undefined);
  return scope;
}

/** Ends what is left of its VM. */
async function drop(rental: Rental, signed: Signed, vm: NamedVm): Promise<void> {
  const here = vmOf(signed, vm);
  if (!here) return;
  vm.activityId = undefined;
  await destroyVm(rental, here);
}

function vmOf({ agreementId }: Signed, { activityId }: NamedVm): Vm | undefined {
  return activityId === undefined ? undefined : { agreementId, activityId };
}

/** A script that goes on in another part has begun already. */
function returnNext(rental: Rental, vm: NamedVm, failure: NamedFailure): void {
  const script = vm.queue.shift();
  if (script?.since) lose(rental, { id: script.id, inParts: script }, failure);
  else if (script) finish(rental, script.id, 'returned', [], failure);
}

function lose(
  rental: Rental,
  { id, inParts: script }: { id: string; inParts?: Assignment },
  failure: NamedFailure,
): void {
  finish(rental, id, 'lost', resultsSoFar(rental, script), failure);
}

function endScripts(rental: Rental, vm: NamedVm): void {
  // What runs goes on: the next run of the rental, or whoever attaches, has it.
  if ((rental.leaving && !isEnding(rental)) || isLeftAlive(rental)) return;
  const { type = 'AgreementEnded', message = 'the rental has ended' } = rental.lost ?? {};
  if (vm.running) lose(rental, vm.running, { type, message });
  vm.running = undefined;
  while (vm.queue.length > 0) returnNext(rental, vm, { type, message });
}

const isLeftAlive = (rental: Rental): boolean => rental.isDetached && !rental.isStopped();

function finish(
  rental: Rental,
  scriptId: string,
  state: ScriptEnd,
  results: CommandResult[],
  { type, message }: NamedFailure,
): void {
  rental.outside.end({ scriptId, state, results, reason: message, failure: { type, message } });
}
