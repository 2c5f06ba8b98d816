/** A local Golem network for development and tests: `startDevnet()`. */
export { startDevnet, type Devnet, type DevnetOptions } from './devnet';
export {
  checkProviders,
  DEFAULT_PROVIDERS,
  loadProviders,
  ProvidersError,
  providersSchema,
  type ProviderConfig,
} from './provider/config';
