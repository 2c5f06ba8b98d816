/**
 * Who reaches whom. A provider may be cut off from a node, frozen (it does nothing and answers nobody) or crashed (its
 * processes are gone); whatever needs it asks here first.
 */
import type { EffectLog } from '../contract';
import { Stream } from '../server/long-poll';
import type { Timer, Timers } from '../timers';
import { checkNames, type KnownNames } from './known-names';

/** `silent`: requests get no answer. `gone`: the other side says that nobody is there. */
export type Reach = 'up' | 'silent' | 'gone';

/** A cut between a node and a provider; undefined stands for all of them. */
export interface Cut {
  node?: string;
  provider?: string;
}

export interface LinkListener {
  /** The provider's processes end at once, and what it knew is gone. */
  onCrash(provider: string): void;
  /** Its VMs die, and it lives on. */
  onVmsKilled(provider: string): void;
  /** The provider's processes stand still, or go on. */
  onFreeze(provider: string, frozen: boolean): void;
  /** Somebody may reach somebody again. */
  onRestored(): void;
}

export class Links {
  listener: LinkListener | undefined;
  /** Woken when somebody may reach somebody again, or no more. */
  readonly changes = new Stream();
  private readonly frozen = new Map<string, Timer | undefined>();
  private readonly crashed = new Map<string, Timer | undefined>();
  private cuts: Cut[] = [];

  constructor(
    private readonly timers: Timers,
    private readonly effects: EffectLog,
    private readonly known: KnownNames,
  ) {}

  /** How a node gets on with a provider, both by name. */
  reach(node: string | undefined, provider: string): Reach {
    if (this.crashed.has(provider)) return 'gone';
    if (this.frozen.has(provider)) return 'silent';
    const isCut = this.cuts.some(
      (cut) =>
        (cut.node === undefined || cut.node === node) &&
        (cut.provider === undefined || cut.provider === provider),
    );
    return isCut ? 'silent' : 'up';
  }

  /** What is wrong at the moment. */
  state(): { cuts: readonly Cut[]; frozen: string[]; crashed: string[] } {
    return { cuts: this.cuts, frozen: [...this.frozen.keys()], crashed: [...this.crashed.keys()] };
  }

  /** Until {@link restore}, or for so many seconds. @throws UnknownName */
  cut(cut: Cut, sec?: number): void {
    checkNames(this.known, cut);
    this.cuts.push(cut);
    this.effects.record('link-cut', { ...cut });
    this.changes.wake();
    this.after(sec, () => this.end(cut), 'end of the cut');
  }

  private end(cut: Cut): void {
    if (!this.cuts.includes(cut)) return;
    this.cuts = this.cuts.filter((each) => each !== cut);
    this.effects.record('link-restored', { ...cut });
    this.restored();
  }

  private restored(): void {
    this.listener?.onRestored();
    this.changes.wake();
  }

  /** Until {@link thaw}, or for so many seconds. @throws UnknownName */
  freeze(provider: string, sec?: number): void {
    checkNames(this.known, { provider });
    if (this.frozen.has(provider) || this.crashed.has(provider)) return;
    const thaw = this.after(sec, () => this.thaw(provider), 'end of the freeze');
    this.frozen.set(provider, thaw);
    this.effects.record('provider-frozen', { provider });
    this.changes.wake();
    this.listener?.onFreeze(provider, true);
  }

  thaw(provider: string): void {
    checkNames(this.known, { provider });
    if (!this.frozen.has(provider)) return;
    this.timers.cancel(this.frozen.get(provider));
    this.frozen.delete(provider);
    this.effects.record('provider-thawed', { provider });
    this.listener?.onFreeze(provider, false);
    this.restored();
  }

  /**
   * It is gone, with its VMs and what it knew of its agreements, until {@link revive}, or for so many seconds.
   * @throws UnknownName
   */
  crash(provider: string, sec?: number): void {
    checkNames(this.known, { provider });
    if (this.crashed.has(provider)) return;
    this.thaw(provider);
    this.crashed.set(
      provider,
      this.after(sec, () => this.revive(provider), 'end of the crash'),
    );
    this.effects.record('provider-crashed', { provider });
    this.changes.wake();
    this.listener?.onCrash(provider);
  }

  /** A crashed provider comes back, and begins anew. @throws UnknownName */
  revive(provider: string): void {
    checkNames(this.known, { provider });
    if (!this.crashed.has(provider)) return;
    this.timers.cancel(this.crashed.get(provider));
    this.crashed.delete(provider);
    this.effects.record('provider-revived', { provider });
    this.restored();
  }

  /** The exe-units of its activities die; it notices, and goes on with its agreements. @throws UnknownName */
  killVms(provider: string): void {
    checkNames(this.known, { provider });
    this.listener?.onVmsKilled(provider);
  }

  private after(sec: number | undefined, action: () => void, cause: string): Timer | undefined {
    return sec === undefined ? undefined : this.timers.after(sec * 1000, action, cause);
  }

  /** All is well again. */
  restore(): void {
    for (const cut of this.cuts.splice(0)) this.effects.record('link-restored', { ...cut });
    for (const provider of [...this.frozen.keys()]) this.thaw(provider);
    for (const provider of [...this.crashed.keys()]) this.revive(provider);
    this.restored();
  }
}
