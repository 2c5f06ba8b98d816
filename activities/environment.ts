/** What the activities of one worker process share: its connections to yagna, its owner's name, its settings. */
import type { ProviderAvoidStore } from '../model/avoid';
import type { SelectionStrategy } from '../model/selection';
import type { SpecSettings } from '../model/spec';
import type { WorkerFiles } from './worker-files';
import type { Connections } from './yagna';

export interface ActivityEnvironment {
  connections: Connections;
  /** Names this installation in marks. Default: the id of the worker's Temporal namespace. */
  owner?: string;
  /** Defaults of a spec that belong to the worker (subnet, network, driver). */
  specSettings: SpecSettings;
  /** Strategies that `providers.select` may name, beside the built-in ones. */
  strategies: Readonly<Record<string, SelectionStrategy>>;
  /** Where image tags are looked up. */
  registryUrl: string;
  /** For so long money is reserved at a time. Default 30 days. */
  allocationLifeSec?: number;
  /** Whether jobs set the search attributes. Default: where Temporal says that they are registered. */
  searchAttributes?: boolean;
  /** Serves the worker's own files to VMs. Default: none are served. */
  files?: WorkerFiles;
  /** Where providers that broke faith are remembered. Default: nowhere, so that they are avoided for the job alone. */
  avoid?: ProviderAvoidStore;
}
