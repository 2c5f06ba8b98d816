/**
 * The runtime under an exe-unit: what `deploy` sets up, programs run in, and `terminate` or the activity's end takes
 * down. Which command may come when is the exe-unit's business, in golem-activity.ts.
 */
import { mkdir } from 'node:fs/promises';
import type { AgreementTerms } from '../contract';
import { pause } from '../timers';
import { deploymentReport, networkComplaint } from './deployment';
import type { DeployCommand, RunCommand, TransferCommand } from './exe-script';
import {
  MachineGone,
  VOLUMES,
  type Machine,
  type MachineOptions,
  type OutputSink,
  type VmNetwork,
} from './machine';
import { transfer, type OnBytes } from './transfer';
import { resolveInside } from './vm-path';

/** Why a command failed, in yagna's words; -1 where there is no exit code. */
export class CommandFailure extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export interface RuntimeParts {
  terms: AgreementTerms;
  directory: string;
  dataDir: string;
  startMachine(options: MachineOptions): Promise<Machine>;
  /** Aborted when the activity ends. */
  ended: AbortSignal;
  /** The VM ended by itself. */
  onDied(): void;
}

export class Runtime {
  private machine: Machine | undefined;
  private dropping = false;
  private volumes: string[] = [...VOLUMES];
  private networks: readonly VmNetwork[] = [];
  private earlierSeconds = 0;
  private hadMachine = false;

  constructor(private readonly parts: RuntimeParts) {}

  /** Before the first deploy nothing is measured. */
  get measured(): boolean {
    return this.hadMachine;
  }

  /** CPU seconds of all VMs that it has had. */
  cpuSeconds(): number {
    return this.earlierSeconds + (this.machine?.cpuSeconds() ?? 0);
  }

  /** Its processes stand still, or go on. */
  freeze(frozen: boolean): void {
    this.machine?.freeze(frozen);
  }

  /** Its VM, if that has this address in this network. */
  machineAt(networkId: string, ip: string): Machine | undefined {
    return this.networks.some(({ id, nodeIp }) => id === networkId && nodeIp === ip)
      ? this.machine
      : undefined;
  }

  /** @returns what ya-runtime-vm prints. @throws MachineGone - the activity ended meanwhile */
  async deploy({ volumes, networks }: DeployCommand): Promise<string> {
    const complaint = networkComplaint(networks);
    if (complaint !== undefined) throw new CommandFailure(-1, complaint);
    const { terms, directory, dataDir, startMachine, ended, onDied } = this.parts;
    await pause(terms.deploySec * 1000, ended);
    if (ended.aborted) throw new MachineGone();
    const machine = await startMachine({ directory, dataDir, cpuThreads: terms.cpuThreads, networks });
    this.hadMachine = true;
    this.machine = machine;
    this.networks = networks;
    if (ended.aborted) {
      await this.drop();
      throw new MachineGone();
    }
    void machine.gone.then(() => {
      if (this.machine === machine && !this.dropping && !ended.aborted) onDied();
    });
    this.volumes = [...VOLUMES, ...volumes];
    for (const path of volumes) await mkdir(await resolveInside(machine.root, path), { recursive: true });
    return deploymentReport(volumes);
  }

  async start(): Promise<void> {
    const { startFails, startSec } = this.parts.terms;
    await pause(startSec * 1000, this.parts.ended);
    if (startFails !== undefined) throw new CommandFailure(-1, `Runtime error: ${startFails}`);
  }

  async run({ entryPoint, args }: RunCommand, sink: OutputSink): Promise<void> {
    const exitCode = await this.deployed().run(entryPoint, args, sink);
    if (exitCode !== 0) throw new CommandFailure(exitCode, `ExeScript command exited with code ${exitCode}`);
  }

  async transfer(command: TransferCommand, onBytes: OnBytes | undefined): Promise<void> {
    await transfer(command, this.deployed().root, this.volumes, this.parts.ended, onBytes);
  }

  /** Its VM goes, if there is one; another one may be deployed. */
  async drop(): Promise<void> {
    const { machine } = this;
    if (!machine) return;
    this.dropping = true;
    try {
      await machine.destroy();
    } finally {
      this.dropping = false;
      if (this.machine === machine) {
        this.earlierSeconds += machine.cpuSeconds();
        this.machine = undefined;
      }
    }
  }

  private deployed(): Machine {
    if (!this.machine) throw new MachineGone();
    return this.machine;
  }
}
