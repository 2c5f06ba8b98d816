/** Connects to Temporal where `@temporalio/envconfig` says: TEMPORAL_ADDRESS and its like, or a profile in its file. */
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
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
  const connection = await Connection.connect({
    ...connectionOptions,
    connectTimeout: CONNECT_LIMIT_MS,
  }).catch((error: unknown) => {
    throw noTemporal(address, error);
  });
  const result = await use(new Client({ connection, namespace })).catch((error: unknown) => {
    throw asCliError(error);
  });
  // Only now that no call is under way: one that is retried on a closed connection throws where nobody can catch it.
  await connection.close();
  return result;
}

export function noTemporal(address: string, cause: unknown): CliError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CliError(
    `no Temporal server answers at ${address}: start one with \`temporal server start-dev\`, ` +
      `or set TEMPORAL_ADDRESS (${why.split('\n')[0]})`,
  );
}
