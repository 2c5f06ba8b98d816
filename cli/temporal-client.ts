/** Connects to Temporal where `@temporalio/envconfig` says: TEMPORAL_ADDRESS and its like, or a profile in its file. */
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { DataConverter } from '@temporalio/common';
import type * as codecServer from './codec-server';
import { CliError } from './failure';
import { asCliError } from './job-failure';

/** How long an address may take to answer. */
const CONNECT_LIMIT_MS = 5000;

/**
 * Runs `use` with a client and closes the connection after it. After an error the command ends, and the connection with it.
 * @throws CliError
 */
export async function withTemporal<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const address = connectionOptions.address ?? 'localhost:7233';
  const converter = dataConverter(namespace);
  const connection = await Connection.connect({
    ...connectionOptions,
    connectTimeout: CONNECT_LIMIT_MS,
  }).catch((error: unknown) => {
    throw noTemporal(address, error);
  });
  const result = await use(new Client({ connection, namespace, dataConverter: converter })).catch(
    (error: unknown) => {
      throw asCliError(error);
    },
  );
  // Only now that no call is under way: one that is retried on a closed connection throws where nobody can catch it.
  await connection.close();
  return result;
}

/** Undefined where no codec server is named. @throws CliError - its URL is none */
export function dataConverter(namespace = 'default'): DataConverter | undefined {
  const { TEMPORAL_CODEC_ENDPOINT: endpoint, TEMPORAL_CODEC_AUTH: authorization } = process.env;
  if (!endpoint) return undefined;
  // What checks its answers takes a tenth of a second to load.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { converterBy } = require('./codec-server') as typeof codecServer;
  return converterBy(endpoint, namespace, authorization);
}

export function noTemporal(address: string, cause: unknown): CliError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CliError(
    `no Temporal server answers at ${address}: start one with \`temporal server start-dev\`, ` +
      `or set TEMPORAL_ADDRESS (${why.split('\n')[0]})`,
  );
}
