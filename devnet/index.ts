/** A local Golem network for development and tests: `startDevnet()`. */
export { NodesError, startDevnet, type Devnet, type DevnetOptions } from './devnet';
export type { LedgerEntry, LedgerKind, PaidDocument } from './payment/ledger';
export type { Wallet } from './payment/wallets';
export type { NodeOptions, RequestorNode } from './requestor-node';
export {
  checkProviders,
  DEFAULT_PROVIDERS,
  loadProviders,
  ProvidersError,
  providersSchema,
  type ProviderConfig,
} from './provider/config';
