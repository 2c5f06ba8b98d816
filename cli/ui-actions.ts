/** What `golem-temporal ui` does: serves the page until it is told to stop. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { GolemClient } from '../client/index';
import { isLoopback, startUiServer } from '../ui/index';
import { usageError } from './failure';
import { dataConverter } from './temporal-client';

const DEV_SERVER = /^(localhost|127\.0\.0\.1|\[::1\]):7233$/;
const DEV_SERVER_UI = 'http://localhost:8233';
/** gRPC would look for a server that was away only every two minutes in the end. */
const COMES_BACK = { 'grpc.initial_reconnect_backoff_ms': 500, 'grpc.max_reconnect_backoff_ms': 3_000 };
const ANY_ADDRESS = ['0.0.0.0', '::'];

export async function ui(options: {
  listen: { host: string; port: number };
  temporalUi?: string;
}): Promise<void> {
  const { host, port } = options.listen;
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const temporalAddress = connectionOptions.address ?? 'localhost:7233';
  const given = process.env.GOLEM_UI_TOKEN || undefined;
  const token = given ?? (isLoopback(host) ? undefined : randomBytes(24).toString('base64url'));
  if (token !== undefined && token.length < 16)
    throw usageError('GOLEM_UI_TOKEN is short enough to be guessed: give 16 characters or more');
  const stopped = untilStopped();
  // It need not be there yet: the page says so, and goes on once it is.
  const connection = Connection.lazy({ ...connectionOptions, channelArgs: COMES_BACK });
  const client = new Client({ connection, namespace, dataConverter: dataConverter(namespace) });
  const server = await startUiServer({
    ...{ golem: new GolemClient({ client }), host, port, token },
    ...{ temporalAddress, temporalUi: temporalUiOf(options.temporalUi, temporalAddress) },
  }).catch((error: unknown) => {
    throw listenFailure(error as NodeJS.ErrnoException, options.listen) ?? error;
  });
  const url = ANY_ADDRESS.includes(host) ? server.url.replace(/\/\/[^/]+:/, `//${hostname()}:`) : server.url;
  // One that was given is its giver's to tell.
  const query = token === undefined || given !== undefined ? '' : `/?token=${token}`;
  console.log(`page at ${url}${query}`);
  if (given !== undefined) console.log('it asks for the token of GOLEM_UI_TOKEN');
  await stopped;
  await server.close();
  await connection.close();
}

/** That of a local dev server is known; of others nobody knows whether there is one. */
function temporalUiOf(given: string | undefined, address: string): string | undefined {
  const named = given ?? (process.env.TEMPORAL_UI_URL || undefined);
  return named ?? (DEV_SERVER.test(address) ? DEV_SERVER_UI : undefined);
}

function listenFailure(
  { code }: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): Error | undefined {
  if (code === 'EADDRINUSE')
    return usageError(`port ${port} is in use: give another, or 0 for a free one, as in --listen ${host}:0`);
  if (code === 'EACCES') return usageError(`you may not listen on port ${port}: give one from 1024 up`);
  if (['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'].includes(code ?? ''))
    return usageError(`cannot listen on ${host}: it is no address of this machine`);
  return undefined;
}

async function untilStopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
