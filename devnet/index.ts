/** A local Golem network for development and tests: `startDevnet()`. */
export { DataDirError } from './data-dir';
export { startBroker, type BrokerOptions, type RunningBroker } from './broker';
export { startDevnet, type Devnet, type DevnetOptions } from './devnet';
export type { LedgerEntry, LedgerKind, PaidDocument } from './payment/ledger';
export type { Wallet } from './payment/wallets';
export type { OpenThings } from './admin/server';
export type { Effect } from './effects';
export { effectKinds, UnknownEffectKind, type EffectFields, type EffectKind } from './effect-kinds';
export type { ArmedFault } from './faults/armed-fault';
export { operations, type Fault, type FaultInput, type Faults } from './faults/faults';
export {
  CALL_ACTIONS,
  type CallAction,
  type CallName,
  type ProviderStep,
  type StepAction,
} from './faults/operations';
export type { RequestPattern } from './faults/request-pattern';
export type { Cut, Links, Reach } from './faults/links';
export { OptionsError } from './options';
export type { NodeOptions, RequestorNode } from './requestor-node';
export type { ProviderConfig } from './provider/config';
export { DEFAULT_PROVIDERS } from './provider/default-providers';
export {
  checkProviders,
  loadProviders,
  providersJsonSchema,
  ProvidersError,
  type ProvidersFile,
} from './provider/providers-file';
