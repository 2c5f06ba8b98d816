/** The part of the devnet that really runs commands. */
import type { VmHost, VmHostOptions } from '../contract';
import { Host } from './host';
import type { Machine, MachineOptions } from './machine';
import { availableNamespaces, NamespacedMachine } from './namespaced-machine';
import { PlainMachine } from './plain-machine';
import { VirtualNetworks } from './virtual-networks';

/** `plain`: without namespaces even where the kernel has them. */
export interface VmHostSettings {
  isolation?: 'plain';
}

export function createVmHost(options: VmHostOptions, settings: VmHostSettings = {}): VmHost {
  const namespaces = settings.isolation === 'plain' ? undefined : availableNamespaces();
  options.log(
    namespaces
      ? 'commands run on this machine, with private mounts: they share its kernel and network, which is no protection against hostile ones'
      : "commands run on this machine, unisolated: they can read and change whatever the devnet's user can",
  );
  const networks = namespaces && new VirtualNetworks(namespaces, options.log);
  const startMachine = (machine: MachineOptions): Promise<Machine> =>
    namespaces ? NamespacedMachine.start(machine, namespaces, networks) : PlainMachine.start(machine);
  return new Host({ ...options, startMachine, closeMachines: () => networks?.close() });
}
