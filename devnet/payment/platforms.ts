/** Payment platforms: `driver-network-token`, which ones there are, and yagna's complaints about others. */
import { problem } from '../server/errors';
import type { JsonObject } from '../server/input';

export interface Platform {
  driver: string;
  network: string;
  token: string;
}

/** Networks of the erc20 driver with the name of their token. */
const TOKENS: Record<string, string> = {
  mainnet: 'GLM',
  polygon: 'GLM',
  goerli: 'tGLM',
  holesky: 'tGLM',
  hoodi: 'tGLM',
  amoy: 'tGLM',
  sepolia: 'tGLM',
};
export const DRIVER = 'erc20';
const DEFAULT_NETWORK = 'holesky';

/** Those on which payments are made today. */
export const NETWORKS: readonly string[] = Object.keys(TOKENS).filter((network) => network !== 'goerli');

export const DEFAULT_PLATFORM = platformName({ driver: DRIVER, network: DEFAULT_NETWORK, token: 'tglm' });

/** All there are. */
export const PLATFORMS = Object.entries(TOKENS).map(([network, token]) =>
  platformName({ driver: DRIVER, network, token }),
);

export function platformName({ driver, network, token }: Platform): string {
  return `${driver}-${network}-${token.toLowerCase()}`;
}

export function isNetwork(name: string): boolean {
  return TOKENS[name] !== undefined;
}

export function platformOfNetwork(network: string): string {
  return platformName({ driver: DRIVER, network, token: TOKENS[network] ?? 'tGLM' });
}

export function parsePlatform(name: string): Platform {
  const [driver = '', network = ''] = name.split('-');
  return { driver, network, token: TOKENS[network] ?? 'tGLM' };
}

/**
 * The platform that a new allocation asks for: a name, an object with some of driver, network and token, or nothing.
 * @throws problem+json 400 when there is no such platform.
 */
export function requestedPlatform(wanted: unknown, requestBody: JsonObject): string {
  if (wanted === undefined || wanted === null) return DEFAULT_PLATFORM;
  const isName = typeof wanted === 'string';
  const parts = isName ? wanted.split('-') : [];
  const fields = (isName ? {} : wanted) as Partial<Record<keyof Platform, string | null>>;
  const requested = isName ? wanted : { driver: null, network: null, token: null, ...fields };
  const bad = (parseError: string): Error =>
    problem(400, {
      type: '/payment-api/v1/allocations/bad-payment-platform',
      detail: "Payment platform doesn't parse",
      parseError,
      requestBody,
      requestedPaymentPlatform: requested,
    });
  const form = isName ? 2 : 1;
  if (isName && parts.length !== 3)
    throw bad(`Payment platform must be of the form driver-network-token: ${wanted}`);
  const driver = isName ? parts[0] : (fields.driver ?? DRIVER);
  const network = (isName ? parts[1] : fields.network) ?? DEFAULT_NETWORK;
  // Known networks are looked at first in a name, as yagna does.
  const expected = TOKENS[network];
  if (expected === undefined)
    throw bad(`Validate network failed (${form}): Invalid network name: ${network}`);
  if (driver !== DRIVER) throw bad(`Validate driver failed (${form}): Invalid driver name ${driver}`);
  const token = (isName ? parts[2] : fields.token) ?? expected;
  if (token.toLowerCase() !== expected.toLowerCase()) {
    throw bad(`Validate token failed (${form}): Token ${token} does not match expected token ${expected}`);
  }
  return platformName({ driver, network, token });
}
