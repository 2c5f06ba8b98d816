/**
 * One Golem activity: the exe-unit's states, and the scripts that it carries out one after the other. The VM that they
 * run in is in runtime.ts, what a requestor gets to see of it all over HTTP in devnet/activity-api.
 */
import { because, byProvider } from '../cause';
import type { AgreementTerms, EffectLog } from '../contract';
import type { EffectFields } from '../effect-kinds';
import { delayOf, type Fault } from '../faults/faults';
import type { ProviderStep } from '../faults/operations';
import { Stream } from '../server/long-poll';
import { pause } from '../timers';
import { capturesOf, type Captures } from './captured-output';
import { endState, isSudden, type Ending } from './ending';
import { wireForm, type Command } from './exe-script';
import type { Machine, MachineOptions } from './machine';
import { CommandFailure, Runtime } from './runtime';
import { Script } from './script';
import {
  debugPair,
  HEARTBEAT_SEC,
  nextState,
  StateError,
  UnexpectedState,
  type ActivityState,
  type StatePair,
} from './activity-state';
import { Progress } from './progress';
import type { VmStore } from './vm-store';

export interface ActivityParts {
  activityId: string;
  terms: AgreementTerms;
  directory: string;
  dataDir: string;
  startMachine(options: MachineOptions): Promise<Machine>;
  store: VmStore;
  effects: EffectLog;
  log(line: string): void;
  /** The fault that acts on a step, if any. */
  fault(step: ProviderStep): Fault | undefined;
  /** The VM ended by itself. */
  onDied(): void;
  /** Its state changed. */
  onChange(): void;
}

export class GolemActivity {
  readonly activityId: string;
  readonly agreementId: string;
  readonly createdMs = Date.now();
  /** Wakes who waits for a command's result, or for the end. */
  readonly progress = new Stream();
  readonly scripts = new Map<string, Script>();
  /** False once nobody answers for the VM any more. */
  reachable = true;
  ending: Ending | undefined;

  private current: ActivityState = { state: ['Initialized', null] };
  private readonly runtime: Runtime;
  private queue: Promise<void> = Promise.resolve();
  private readonly interrupt = new AbortController();
  private endedMs: number | undefined;
  private ended: Promise<void> | undefined;
  private frozen = false;
  private frozenMs = 0;
  /** It was not heard of for too long, and has given no new sign of life. */
  private unheard = false;
  private readonly thawed = new Stream();

  constructor(private readonly parts: ActivityParts) {
    this.activityId = parts.activityId;
    this.agreementId = parts.terms.agreementId;
    const { terms, directory, dataDir, startMachine } = parts;
    this.runtime = new Runtime({
      ...{ terms, directory, dataDir, startMachine, ended: this.interrupt.signal },
      onDied: () => this.acting(() => parts.onDied()),
    });
  }

  /** As its provider knows it. */
  get state(): ActivityState {
    return this.unheard && !this.ending ? { state: ['Unresponsive', null] } : this.current;
  }

  private enter(state: ActivityState): void {
    this.current = state;
    this.parts.onChange();
  }

  /** Queues a script behind those that it has. */
  execute(batchId: string, commands: Command[]): void {
    const script = new Script(batchId, commands);
    this.scripts.set(batchId, script);
    this.parts.store.atomically(() => {
      this.parts.store.addScript(batchId, this.activityId, commands.length);
      this.parts.effects.record('script-received', this.about(script));
    });
    this.queue = this.queue.then(() => this.runScript(script)).catch((error: unknown) => this.fail(error));
  }

  /** What must not happen in the exe-unit ends it, and not the devnet. */
  private fail(error: unknown): void {
    this.parts.log(`the exe-unit of activity ${this.activityId} failed: ${String(error)}`);
    if (!this.ending) this.acting(() => this.parts.onDied());
  }

  /** Before the first deploy nothing is measured. */
  get measured(): boolean {
    return this.runtime.measured;
  }

  usage(): { cpuSec: number; durationSec: number } {
    const durationSec = ((this.endedMs ?? Date.now()) - this.createdMs) / 1000;
    // A provider of n threads cannot have used more than n CPUs, whatever this machine has.
    return {
      cpuSec: Math.min(this.runtime.cpuSeconds(), this.parts.terms.cpuThreads * durationSec),
      durationSec,
    };
  }

  /** Its VM, if that has this address in this network. */
  readonly machineAt = (networkId: string, ip: string): Machine | undefined =>
    this.runtime.machineAt(networkId, ip);

  /** Its processes stand still, or go on; no command begins meanwhile. */
  freeze(frozen: boolean): void {
    this.frozen = frozen;
    this.runtime.freeze(frozen);
    if (frozen) this.frozenMs = Date.now();
    else {
      if (Date.now() - this.frozenMs > this.parts.terms.unresponsiveSec * 1000) void this.beUnheard();
      this.thawed.wake();
    }
  }

  private async beUnheard(): Promise<void> {
    this.hear(true);
    await this.pause(Math.min(HEARTBEAT_SEC, this.parts.terms.unresponsiveSec) * 1000);
    this.hear(false);
  }

  private hear(unheard: boolean): void {
    this.unheard = unheard;
    this.parts.onChange();
  }

  /** Ends the VM. Resolves when its processes and files are gone; {@link usage} is final from then on. */
  end(ending: Ending): Promise<void> {
    this.ended ??= this.finish(ending);
    return this.ended;
  }

  private async finish(ending: Ending): Promise<void> {
    this.ending = ending;
    this.enter(endState(ending, [...this.scripts.values()]));
    this.interrupt.abort();
    try {
      await this.runtime.drop();
      await this.queue;
    } finally {
      this.endedMs = Date.now();
      this.progress.wake();
    }
  }

  /** A script, for an effect that is about it. */
  private about({ batchId, commands }: Script): EffectFields<'script-started'> {
    const { agreementId, activityId } = this;
    return { agreementId, activityId, batchId, commands: commands.map(({ name }) => name) };
  }

  private async runScript(script: Script): Promise<void> {
    const { store, effects } = this.parts;
    const { commands: _, ...about } = this.about(script);
    if (!this.ending) effects.record('script-started', this.about(script));
    for (const [index, command] of script.commands.entries()) {
      if (this.ending) break;
      const one = { ...about, index, command: command.name };
      this.acting(() => effects.record('command-started', one));
      script.emit(index, { started: { command: wireForm(command) } });
      const outputs = capturesOf(command);
      const failure = await this.perform(command, outputs, script, index);
      // A VM that died reports nothing.
      if (isSudden(this.ending)) break;
      const result = failure ? 'Error' : 'Ok';
      const [exitCode, message] = [failure?.code ?? 0, failure?.message];
      const { eventDate } = script.finish(index, exitCode, message ?? null);
      const [stdout, stderr] = [outputs.stdout.output(), outputs.stderr.output()];
      store.atomically(() => {
        store.addResult(script.batchId, index, {
          result,
          stdout,
          stderr,
          message: message ?? null,
          eventDate,
        });
        this.acting(() => effects.record('command-finished', { ...one, result, exitCode, message }));
      });
      this.progress.wake();
      if (failure) break;
    }
    const result = script.failed ? 'Error' : script.over ? 'Ok' : 'Interrupted';
    this.acting(() => effects.record('script-finished', { ...this.about(script), result }));
  }

  /** What its requestor did not ask for is the provider's doing. */
  private acting(action: () => void): void {
    because(byProvider(this.parts.terms.providerName), action);
  }

  private async perform(
    command: Command,
    outputs: Captures,
    script: Script,
    index: number,
  ): Promise<CommandFailure | undefined> {
    try {
      if (command.name === 'sign') {
        throw new CommandFailure(-1, "signing not supported: binary built without the 'sgx' feature");
      }
      if (command.name === 'terminate') {
        await this.runtime.drop();
        if (!this.ending) this.enter({ state: ['Initialized', null] });
        return undefined;
      }
      await this.inState(command, async () => {
        const streamed = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
          const sent = outputs[stream].write(chunk);
          if (sent !== undefined) script.emit(index, { [stream]: sent });
        };
        const sink = { stdout: streamed('stdout'), stderr: streamed('stderr') };
        await this.suffer(command);
        const progress =
          'progress' in command && command.progress
            ? new Progress(command.progress, (json) => script.emit(index, { progress: json }))
            : undefined;
        if (command.name === 'deploy') {
          sink.stdout(Buffer.from(await this.runtime.deploy(command)));
          // There is no image to download.
          progress?.say('Deployed image from cache');
        }
        if (command.name === 'start') await this.runtime.start();
        if (command.name === 'run') await this.runtime.run(command, sink);
        if (command.name === 'transfer') await this.runtime.transfer(command, progress?.at.bind(progress));
      });
      return undefined;
    } catch (error) {
      if (error instanceof CommandFailure) return error;
      const message = error instanceof Error ? error.message : String(error);
      return new CommandFailure(
        -1,
        error instanceof StateError ? `Local service error: State error: ${message}` : message,
      );
    }
  }

  /** Does something in the state that the command leads through, if the present state allows the command. */
  private async inState(command: Command, action: () => Promise<void>): Promise<void> {
    const before = this.current.state;
    const during = nextState(before, command.name);
    this.enter({ state: during });
    let after: StatePair = before;
    try {
      await action();
      after = [during[1] ?? during[0], null];
    } catch (error) {
      // Cut short by the activity's end, which is said below.
      if (!this.ending) throw error;
    } finally {
      if (!this.ending) this.enter({ state: after });
    }
    if (this.ending) {
      const current =
        this.ending === 'terminated' ? 'StatePair(Ready, Some(Terminated))' : debugPair(['Terminated', null]);
      throw new UnexpectedState(current, debugPair(during));
    }
  }

  /** What an armed fault does to a command before it begins. */
  private async suffer({ name }: Command): Promise<void> {
    if (name === 'sign' || name === 'terminate') return;
    while (this.frozen && !this.ending) await this.thaw();
    const fault = this.parts.fault(name);
    switch (fault?.do) {
      case 'fail': {
        const { exitCode = name === 'run' ? 1 : -1 } = fault;
        throw new CommandFailure(exitCode, fault.message ?? `ExeScript command exited with code ${exitCode}`);
      }
      case 'delay':
        return await this.pause(delayOf(fault));
      case 'hang':
        return await this.pause(Infinity);
      case 'die':
        this.acting(() => this.parts.onDied());
        return await this.pause(Infinity);
    }
  }

  private thaw(): Promise<void> {
    const { signal } = this.interrupt;
    return new Promise((resolve) => {
      const go = (): void => {
        this.thawed.remove(go);
        signal.removeEventListener('abort', go);
        resolve();
      };
      this.thawed.add(go);
      signal.addEventListener('abort', go);
    });
  }

  /** Ends early with the activity. */
  private async pause(ms: number): Promise<void> {
    await pause(ms, this.interrupt.signal);
  }
}
