/** The life of a rental's VM: how it comes up, is watched, is dropped for a fresh one, or dies. */
import { ApplicationFailure, type CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { ScriptCommand } from '../activities/contract';
import type { NewEvent } from '../model/events';
import type { GolemActivityId } from '../model/ids';
import type { ProviderInfo } from '../model/result';
import { dropping, rentalWatch, vmCreation } from './activity-options';
import { namedFailure } from './failure-type';
import { lossBy, type Loss, type Rental } from './rental';
import { faultOf, type Vm } from './script-runner';
import type { Fault } from './state/broken-faith';
import type { RentalRecord } from './state/rental-record';
import { nextPart, partsOf } from './state/script-parts';

export type Signed = NonNullable<RentalRecord['signed']>;

/** A rental that is over so soon needs no watch: until then, that of its script tells when the VM is lost. */
const WATCH_AFTER = '5 s';
/** Longest time for deploy, start and setup together. Images of gigabytes on slow lines need a good part of it. */
const DEPLOY_TIMEOUT_SEC = 1800;
/** When so many VMs have died under one agreement, another provider is better. */
const MAX_DEATHS = 2;

export class VmFailed extends Error {
  constructor(
    message: string,
    readonly fault?: Fault,
  ) {
    super(message);
  }
}

/** The VM that an earlier run of this rental brought up, if it is still the rental's. */
export function vmThatIsUp({ record }: Rental, { agreementId }: Signed): Vm | undefined {
  const { vm, ended } = record;
  return vm === undefined || ended.includes(vm) ? undefined : { agreementId, activityId: vm };
}

/** Creates, deploys and starts a VM and runs the setup in it. Throws a named failure when it does not come up. */
export async function bringUpVm(rental: Rental, signed: Signed, watching: CancellationScope): Promise<Vm> {
  const { record } = rental;
  const { agreementId, validToMs } = signed;
  rental.announce('creating');
  const { activityId } = await createVm(rental, signed, (id) => (record.progress.activityId = id));
  const vm: Vm = { agreementId, activityId };
  void watching.run(() => watchVm(rental, vm, validToMs));
  record.progress.state = 'deploying';
  rental.show();
  await deployVm(rental, vm, {
    onSlow: () => rental.announce('deploying'),
    onFailed: (index) => (record.setupFailed = index >= 2),
  });
  record.vm = vm.activityId;
  rental.enterWithWork('ready');
  record.everReady = true;
  return vm;
}

/**
 * Creates a VM under the agreement. Throws a named failure when there can be none.
 * @param know - is told its id before another one is created
 * @param isBeside - beside the first one: as many as were agreed may live at a time
 */
export async function createVm(
  rental: Rental,
  { agreementId, validToMs }: Signed,
  know: (activityId: GolemActivityId) => void,
  isBeside = false,
): Promise<{ activityId: GolemActivityId }> {
  const { record } = rental;
  const { job, provider } = record.terms;
  return await rental.creating(async () => {
    const why = isBeside ? rental.whyNoMoreVms(true) : undefined;
    if (why) throw ApplicationFailure.nonRetryable(why.message, why.type);
    // Those beside it are none to adopt either, nor what was there before it was taken over.
    const ended = [...record.ended, ...rental.vms, ...record.others];
    const created = await vmCreation.golemCreateVm({ job, agreementId, validToMs, provider, ended });
    record.retried ||= created.retried;
    rental.note(created.events);
    know(created.activityId);
    return created;
  });
}

interface DeployListener {
  /** It takes more than a moment. */
  onSlow?(): void;
  /** A command failed by itself, the one at this position. */
  onFailed?(index: number): void;
}

/** Deploys and starts a VM and runs the setup in it. Throws {@link VmFailed} when it does not come up. */
export async function deployVm(rental: Rental, vm: Vm, listener: DeployListener = {}): Promise<void> {
  const { runner, record } = rental;
  const { provider, setup } = record.terms;
  let commands: ScriptCommand[] = [{ deploy: true }, { start: true }, ...setup];
  const parts = partsOf({ key: 'setup', commands, restore: false });
  let deadlineMs: number | undefined;
  for (;;) {
    const { batchId, quick } = await runner.send(vm, commands);
    deadlineMs ??= Date.now() + DEPLOY_TIMEOUT_SEC * 1000;
    const script = { batchId, commandCount: commands.length, deadlineMs };
    if (!quick) listener.onSlow?.();
    const watched = quick ?? (await runner.watch(vm, script));
    if (watched.event) rental.note([watched.event]);
    const offset = parts?.offset ?? 0;
    const { state, results } = watched;
    if (results.some(({ index, result }) => offset + index === 1 && result === 'Ok'))
      rental.note([vmReady(vm, provider)]);
    if (state === 'done') return;
    // A transfer failed that another try may bring: the VM goes on from there.
    const isNext = parts && state === 'failed' && watched.vm === undefined;
    const next = isNext && nextPart(parts, { state, results });
    if (next) {
      ({ commands } = next);
      await sleep(next.pauseMs);
      continue;
    }
    const failed = results.find((result) => result.result === 'Error');
    // A step that never ended has no result.
    const index = offset + (failed?.index ?? results.length);
    const step = ['deploy', 'start'][index] ?? `setup[${index - 2}]`;
    if (state === 'failed') listener.onFailed?.(index);
    const stderr = failed?.stderr ? ` (${failed.stderr.trim().slice(-300)})` : '';
    const why = `${step}: ${watched.reason ?? failed?.message ?? state}${stderr}`;
    throw new VmFailed(why, watched.vm === 'dead' ? undefined : faultOf(watched.vm, why));
  }
}

/** Notices the end of the agreement or of the VM, whatever else is going on. */
export async function watchVm(rental: Rental, vm: Vm, validToMs: number): Promise<void> {
  const { record } = rental;
  try {
    await sleep(WATCH_AFTER);
    const news = await rentalWatch().golemWatchRental({ job: record.terms.job, ...vm, validToMs });
    // A VM that was dropped on purpose is no loss.
    if (news.ended === 'vm' && record.ended.includes(vm.activityId)) return;
    if (rental.lost) return;
    rental.note(news.events);
    if (news.ended === 'vm' && vm.activityId === record.vm) rental.died ??= news.reason;
    else rental.lost ??= lossBy(news);
  } catch (error) {
    if (!isCancellation(error)) rental.lost ??= namedFailure(error);
  }
}

export async function dropVm(rental: Rental, vm: Vm): Promise<true> {
  await destroyVm(rental, vm);
  rental.record.progress.activityId = undefined;
  return true;
}

/** Ends a VM under the agreement; where that is over as well, the rental is lost. */
export async function destroyVm(rental: Rental, vm: Vm): Promise<void> {
  const { record } = rental;
  record.ended.push(vm.activityId);
  const dropped = await dropping.golemDestroyVm({ job: record.terms.job, ...vm });
  if (!rental.lost) rental.note(dropped.events);
  if (dropped.ended) rental.lost ??= lossBy(dropped.ended);
}

/**
 * The VM died by itself. What is left of it is ended, so that a fresh one may be made; where that cannot be, or its
 * agreement is over as well, the rental is lost.
 */
export async function buryVm(rental: Rental, vm: Vm, task?: string): Promise<void> {
  const { record } = rental;
  const reason = rental.died ?? 'the VM is gone';
  rental.died = undefined;
  record.deaths += 1;
  const loss: Loss = { type: 'VmLost', message: reason, fault: faultOf('dead', reason, task) };
  // What was in the VM of an interactive job is its user's, and not to be replaced by stealth.
  if (record.terms.interactive || record.deaths >= MAX_DEATHS) {
    rental.lost ??= loss;
    return;
  }
  try {
    await rental.unlessStopped(() => dropVm(rental, vm));
  } catch (error) {
    if (isCancellation(error)) throw error;
    rental.lost ??= loss;
  }
}

function vmReady({ activityId, agreementId }: Vm, provider: ProviderInfo): NewEvent {
  const details = { id: activityId, agreementId, provider, state: 'Ready' };
  return { name: 'ActivityStateChanged', at: new Date().toISOString(), details };
}
