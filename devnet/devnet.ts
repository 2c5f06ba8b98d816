/** Puts the devnet together: database, market, payment, providers, VM host, HTTP server; and takes it apart again. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminRoutes } from './admin-routes';
import { openDatabase } from './database';
import { Effects } from './effects';
import { Identities, identityRoutes } from './identity';
import { agreementRoutes } from './market/agreement-routes';
import { Agreements } from './market/agreements';
import { DemandBook } from './market/book';
import { scanRoutes } from './market/scan-routes';
import { demandRoutes } from './market/demand-routes';
import { allocationRoutes } from './payment/allocation-routes';
import { Accounts } from './payment/accounts';
import { Allocations } from './payment/allocations';
import { DocumentEvents } from './payment/document-events';
import { documentRoutes } from './payment/document-routes';
import { Documents } from './payment/documents';
import { Payer } from './payment/payer';
import { checkProviders, DEFAULT_PROVIDERS, loadProviders, type ProviderConfig } from './provider/config';
import { ProviderNetwork } from './provider/network';
import { registryRoutes } from './registry-routes';
import { createServer, yagnaScope } from './server/http';
import { Timers } from './timers';
import { createVmHost } from './vm';

export interface DevnetOptions {
  /** Default 0: a free port. */
  port?: number;
  /** Default `127.0.0.1`. The devnet runs commands on this machine: do not open it to others. */
  host?: string;
  /** App keys that are let in; each is an identity of its own. Default `['try_golem']`. */
  appKeys?: string[];
  /** Providers, or a JSON file with a list of them. Default {@link DEFAULT_PROVIDERS}. */
  providers?: ProviderConfig[] | string;
  /** Where state lives, kept over restarts. Default: a temporary directory, removed on close. */
  dataDir?: string;
  /** Seconds from an acceptance to the payment. Default 1. */
  paymentCycleSec?: number;
  /** Seconds between rounds in which free providers offer again to live demands, 0 for never. Default 240. */
  rebroadcastSec?: number;
  log?: (line: string) => void;
}

export interface Devnet {
  url: string;
  /** The first app key. */
  appKey: string;
  port: number;
  /** Stops providers, VMs and server, and removes the data directory if it was a temporary one. */
  close(): Promise<void>;
}

export async function startDevnet(options: DevnetOptions = {}): Promise<Devnet> {
  const { host = '127.0.0.1', port = 0, appKeys = ['try_golem'], log = () => undefined } = options;
  const providers =
    typeof options.providers === 'string'
      ? loadProviders(options.providers)
      : checkProviders(options.providers ?? DEFAULT_PROVIDERS);
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'golem-devnet-')));
  const database = openDatabase(dataDir);
  const timers = new Timers();

  const effects = new Effects(database);
  const identities = new Identities(database, appKeys);
  const book = new DemandBook();
  const agreements = new Agreements(database, effects);
  const accounts = new Accounts(database);
  const allocations = new Allocations(database, accounts, effects, timers);
  const documents = new Documents(database, new DocumentEvents(database), allocations, effects);
  const payer = new Payer(database, documents, accounts, effects, timers, options.paymentCycleSec ?? 1);
  const network = new ProviderNetwork({
    providers,
    book,
    agreements,
    documents,
    timers,
    rebroadcastSec: options.rebroadcastSec ?? 240,
    log,
  });
  const vms = createVmHost({ dataDir, database, agreements: network, effects, log });

  const app = createServer(identities);
  let url = '';
  identityRoutes(app);
  registryRoutes(app, () => url);
  adminRoutes(app, { effects, allocations, book, agreements, vms });
  yagnaScope(app, (scope) => {
    demandRoutes(scope, book, effects);
    agreementRoutes(scope, book, agreements);
    scanRoutes(scope, () => network.offers());
    allocationRoutes(scope, allocations, accounts, identities);
    documentRoutes(scope, documents, payer);
  });
  void app.register((scope, _options, done) => {
    vms.registerRoutes(scope);
    done();
  });

  const close = async (): Promise<void> => {
    timers.close();
    await app.close();
    await network.close();
    await vms.close();
    database.close();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    network.start(vms);
    await app.listen({ port, host });
  } catch (error) {
    await close();
    throw error;
  }
  const address = app.server.address() as AddressInfo;
  url = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  return { url, appKey: appKeys[0] ?? '', port: address.port, close };
}
