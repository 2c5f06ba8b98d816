/**
 * Who reaches whom. A provider may be cut off from a node, frozen (it does nothing and answers nobody) or crashed (its
 * processes are gone); whatever needs it asks here first.
 */
import type { EffectLog } from '../contract';
import type { Timer, Timers } from '../timers';

/** `silent`: requests get no answer. `gone`: the other side says that nobody is there. */
export type Reach = 'up' | 'silent' | 'gone';

/** A cut between a node and a provider; undefined stands for all of them. */
export interface Cut {
  node?: string;
  provider?: string;
}

export interface LinkListener {
  /** The provider's processes end at once. */
  onCrash(provider: string): void;
  /** The provider's processes stand still, or go on. */
  onFreeze(provider: string, frozen: boolean): void;
  /** Somebody may reach somebody again. */
  onRestored(): void;
}

export class Links {
  listener: LinkListener | undefined;
  private readonly frozen = new Map<string, Timer | undefined>();
  private readonly crashed = new Set<string>();
  private cuts: Cut[] = [];

  constructor(
    private readonly timers: Timers,
    private readonly effects: EffectLog,
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
    return { cuts: this.cuts, frozen: [...this.frozen.keys()], crashed: [...this.crashed] };
  }

  /** Until {@link restore}, or for so many seconds. */
  cut(cut: Cut, sec?: number): void {
    this.cuts.push(cut);
    this.effects.record('link-cut', { ...cut });
    if (sec !== undefined) this.timers.after(sec * 1000, () => this.end(cut), 'end of the cut');
  }

  private end(cut: Cut): void {
    if (!this.cuts.includes(cut)) return;
    this.cuts = this.cuts.filter((each) => each !== cut);
    this.effects.record('link-restored', { ...cut });
    this.listener?.onRestored();
  }

  freeze(provider: string, sec?: number): void {
    if (this.frozen.has(provider) || this.crashed.has(provider)) return;
    const thaw =
      sec === undefined
        ? undefined
        : this.timers.after(sec * 1000, () => this.thaw(provider), 'end of the freeze');
    this.frozen.set(provider, thaw);
    this.effects.record('provider-frozen', { provider });
    this.listener?.onFreeze(provider, true);
  }

  thaw(provider: string): void {
    if (!this.frozen.has(provider)) return;
    this.timers.cancel(this.frozen.get(provider));
    this.frozen.delete(provider);
    this.effects.record('provider-thawed', { provider });
    this.listener?.onFreeze(provider, false);
    this.listener?.onRestored();
  }

  crash(provider: string): void {
    if (this.crashed.has(provider)) return;
    this.thaw(provider);
    this.crashed.add(provider);
    this.effects.record('provider-crashed', { provider });
    this.listener?.onCrash(provider);
  }

  /** A crashed provider comes back, without the VMs that it had. */
  revive(provider: string): void {
    if (!this.crashed.delete(provider)) return;
    this.effects.record('provider-revived', { provider });
    this.listener?.onRestored();
  }

  /** All is well again. */
  restore(): void {
    for (const cut of this.cuts.splice(0)) this.effects.record('link-restored', { ...cut });
    for (const provider of [...this.frozen.keys()]) this.thaw(provider);
    for (const provider of [...this.crashed]) this.revive(provider);
    this.listener?.onRestored();
  }
}
