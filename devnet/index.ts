/** A local Golem network for development and tests: `startDevnet()`. */
export { NodesError, startDevnet, type Devnet, type DevnetOptions } from './devnet';
export type { LedgerEntry, LedgerKind, PaidDocument } from './payment/ledger';
export type { Wallet } from './payment/wallets';
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
