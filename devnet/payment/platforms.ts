/** Payment platforms: `driver-network-token`, which ones there are, and yagna's complaints about others. */
import { problem } from '../server/errors';
import type { JsonObject } from '../server/input';
import type { WantedPlatform } from './allocation-request';

export interface Platform {
  driver: string;
  network: string;
  token: string;
}

/** Networks of the erc20 driver with the name of their token. */
const TOKENS = new Map([
  ['mainnet', 'GLM'],
  ['polygon', 'GLM'],
  ['goerli', 'tGLM'],
  ['holesky', 'tGLM'],
  ['hoodi', 'tGLM'],
  ['amoy', 'tGLM'],
  ['sepolia', 'tGLM'],
]);
export const DRIVER = 'erc20';
const DEFAULT_NETWORK = 'holesky';
/** For who asks for the token `glm` and for no network. */
const DEFAULT_MAINNET = 'polygon';

/** Those on which payments are made today. */
export const NETWORKS: readonly string[] = [...TOKENS.keys()].filter((network) => network !== 'goerli');

export const DEFAULT_PLATFORM = platformName({ driver: DRIVER, network: DEFAULT_NETWORK, token: 'tglm' });

/** All there are. */
export const PLATFORMS = [...TOKENS].map(([network, token]) =>
  platformName({ driver: DRIVER, network, token }),
);

export function platformName({ driver, network, token }: Platform): string {
  return `${driver}-${network}-${token.toLowerCase()}`;
}

export function isNetwork(name: string): boolean {
  return TOKENS.has(name);
}

export function platformOfNetwork(network: string): string {
  return platformName({ driver: DRIVER, network, token: TOKENS.get(network) ?? 'tGLM' });
}

export function parsePlatform(name: string): Platform {
  const [driver = '', network = ''] = name.split('-');
  return { driver, network, token: TOKENS.get(network) ?? 'tGLM' };
}

/**
 * The platform that a new allocation asks for: a name, an object with some of driver, network and token, or nothing.
 * @throws problem+json 400 when there is no such platform.
 */
export function requestedPlatform(wanted: WantedPlatform | undefined, requestBody: JsonObject): string {
  if (wanted === undefined) return DEFAULT_PLATFORM;
  const isName = typeof wanted === 'string';
  const bad = (parseError: string): Error =>
    problem(400, {
      type: '/payment-api/v1/allocations/bad-payment-platform',
      detail: "Payment platform doesn't parse",
      parseError,
      requestBody,
      requestedPaymentPlatform: wanted,
    });
  const form = isName ? 2 : 1;
  const parts = isName ? wanted.split('-') : [];
  if (isName && parts.length !== 3)
    throw bad(`paymentPlatform must be of the form driver-network-token instead of ${wanted}`);
  const [driver = DRIVER, network, token] = isName
    ? parts
    : [wanted.driver ?? undefined, wanted.network ?? undefined, wanted.token ?? undefined];
  const chosen = network ?? (token === 'glm' ? DEFAULT_MAINNET : DEFAULT_NETWORK);
  // Known networks are looked at first in a name, as yagna does.
  const expected = TOKENS.get(chosen)?.toLowerCase();
  if (expected === undefined) throw bad(`Validate network failed (${form}): Invalid network name: ${chosen}`);
  if (driver !== DRIVER) throw bad(`Validate driver failed (${form}): Invalid driver name ${driver}`);
  if (token !== undefined && token !== expected)
    throw bad(`Validate token failed (${form}): ${tokenComplaint(token, expected, chosen)}`);
  return platformName({ driver, network: chosen, token: expected });
}

function tokenComplaint(token: string, expected: string, network: string): string {
  if (token === 'GLM' || token === 'tGLM')
    return `Uppercase token names are not supported. Use lowercase glm or tglm instead of ${token}`;
  return (
    `Token ${token} does not match expected token ${expected} for driver ${DRIVER} and network ${network}. ` +
    'Note that for test networks expected token name is tglm and for production networks it is glm'
  );
}
