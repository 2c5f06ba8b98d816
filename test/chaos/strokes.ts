/** Carries out a plan's strokes, each at its moment. What is down comes back, after the time that the plan says. */
import { setTimeout as delay } from 'node:timers/promises';
import { providerNodeId } from '../../devnet/identity';
import { rentalId, settlementId } from '../../model/ids';
import type { JobControl, WorkflowView } from './job-control';
import type { SeedWorld } from './seed-world';
import type { Moment, Stroke } from './stroke-arbitraries';

export class Strokes {
  /** Those that had something to strike. */
  readonly acted = new Set<Stroke>();
  private readonly over = new AbortController();
  private readonly underWay: Promise<void>[];

  constructor(
    private readonly world: SeedWorld,
    private readonly job: JobControl,
    strokes: readonly Stroke[],
  ) {
    this.underWay = strokes.map(async (stroke) => {
      if (!(await this.comes(stroke.at))) return;
      if (await this.strike(stroke)) this.acted.add(stroke);
    });
  }

  /** No more strokes; resolves when those that have begun are done. */
  async end(): Promise<void> {
    this.over.abort();
    await Promise.all(this.underWay);
    await this.world.calm();
  }

  did(...actions: Stroke['do'][]): boolean {
    return [...this.acted].some((stroke) => actions.includes(stroke.do));
  }

  /** False when all is over before. */
  private async comes({ effect, nth, thenMs }: Moment): Promise<boolean> {
    const { signal } = this.over;
    let after = 0;
    for (let n = 0; n < nth;) {
      try {
        after = (await this.world.devnet.effects.next(effect, after, { signal })).seq;
        n += 1;
      } catch {
        if (signal.aborted) return false;
        // The devnet is being restarted, and then its effects go on.
        await this.world.calm();
        await delay(20);
      }
    }
    await delay(thenMs, undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }

  /** False when there was nothing to strike. */
  private async strike(stroke: Stroke): Promise<boolean> {
    const { world, job } = this;
    const { links } = world.devnet;
    switch (stroke.do) {
      case 'killWorker':
        await world.killWorker(stroke.worker, stroke.backAfterSec);
        return true;
      case 'stopWorker':
        await world.stopWorker(stroke.worker, stroke.backAfterSec);
        return true;
      case 'killTemporal':
        await world.killTemporal(stroke.backAfterSec);
        return true;
      case 'restartNode':
        await world.restartNode(stroke.backAfterSec);
        return true;
      case 'restartDevnet':
        await world.restartDevnet();
        return true;
      case 'cut':
        links.cut({ provider: stroke.provider }, stroke.sec);
        return true;
      case 'freeze':
        links.freeze(stroke.provider, stroke.sec);
        return true;
      case 'crash':
        links.crash(stroke.provider, stroke.sec);
        return true;
      case 'killVms':
        if (!this.hasVm(stroke.provider)) return false;
        links.killVms(stroke.provider);
        return true;
      case 'shutDown':
        await world.shutDown(stroke.provider, stroke.sec);
        return true;
      case 'cancelJob':
        return await job.cancel(job.jobId);
      case 'terminateJob':
        return await job.terminate(job.jobId);
      case 'terminateJobAndRentals':
        return await this.terminateAll(({ workflowId }) => workflowId !== settlementId(job.jobId));
      case 'terminateAll':
        return await this.terminateAll(() => true);
      case 'terminateSettlement':
        return await job.terminate(settlementId(job.jobId));
      case 'cancelRental':
        return await job.cancel(rentalId(job.jobId, stroke.rental));
      case 'terminateRental':
        return await job.terminate(rentalId(job.jobId, stroke.rental));
    }
  }

  private async terminateAll(which: (workflow: WorkflowView) => boolean): Promise<boolean> {
    let isAny = false;
    for (;;) {
      // While some are ended, the job may start another rental.
      const live = (await this.job.workflows()).filter((each) => each.status === 'RUNNING' && which(each));
      if (live.length === 0) return isAny;
      for (const { workflowId } of live) isAny = (await this.job.terminate(workflowId)) || isAny;
    }
  }

  private hasVm(provider: string): boolean {
    const { devnet } = this.world;
    const agreements = devnet.effects
      .all(0, ['agreement-created'])
      .flatMap(({ agreementId, providerId }) => (providerId === providerNodeId(provider) ? agreementId : []));
    return devnet.open().activities.some(({ agreementId }) => agreements.includes(agreementId));
  }
}
