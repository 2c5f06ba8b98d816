/** Puts the devnet together: database, market, payment, providers, VM host, nodes; and takes it apart again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { startAdminServer, type AdminServer } from './admin/server';
import { openDatabase } from './database';
import { Effects } from './effects';
import { callFaults } from './faults/call-faults';
import { Conditions } from './faults/conditions';
import { Faults } from './faults/faults';
import { Links } from './faults/links';
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
import { RequestorNode, type NodeOptions } from './requestor-node';
import { Retention } from './retention';
import { yagnaScope } from './server/http';
import { Timers } from './timers';
import { createVmHost } from './vm';

export interface DevnetOptions {
  /** Port of the first requestor node. Default 0: a free port. */
  port?: number;
  /** Default `127.0.0.1`. The devnet runs commands on this machine: do not open it to others. */
  host?: string;
  /** App keys of the first node; each is an identity of its own. Default `['try_golem']`. */
  appKeys?: string[];
  /** More requestor nodes on the same network, which compete for its providers. The first is named `requestor`. */
  nodes?: NodeOptions[];
  /** Port of the admin API, on loopback. Default 0: a free port. */
  adminPort?: number;
  /** Providers, or a JSON file with a list of them. Default {@link DEFAULT_PROVIDERS}. */
  providers?: ProviderConfig[] | string;
  /** Where state lives, kept over restarts. Default: a temporary directory, removed on close. */
  dataDir?: string;
  /** Seconds from an acceptance to the payment. Default 1. */
  paymentCycleSec?: number;
  /** Seconds between rounds in which free providers offer again to live demands, 0 for never. Default 240. */
  rebroadcastSec?: number;
  /** Seconds for which ended agreements, released allocations and effects are remembered. Default 86,400. */
  retentionSec?: number;
  log?: (line: string) => void;
}

export interface Devnet {
  /** Of the first node. */
  url: string;
  /** The first app key of the first node. */
  appKey: string;
  /** Of the first node. */
  port: number;
  /** Of the admin API. */
  adminUrl: string;
  /** Faults that are armed, and ways to arm more. */
  faults: Faults;
  /** Cuts of the network, frozen and crashed providers. */
  links: Links;
  /** The requestor nodes, the first one first. */
  nodes: readonly RequestorNode[];
  /** The node of that name. @throws Error when there is none */
  node(name: string): RequestorNode;
  /** Stops providers, VMs and nodes, and removes the data directory if it was a temporary one. */
  close(): Promise<void>;
}

export async function startDevnet(options: DevnetOptions = {}): Promise<Devnet> {
  const { host = '127.0.0.1', log = () => undefined } = options;
  const providers =
    typeof options.providers === 'string'
      ? loadProviders(options.providers)
      : checkProviders(options.providers ?? DEFAULT_PROVIDERS);
  const described = describedNodes(options);
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'golem-devnet-')));
  const database = openDatabase(dataDir);
  const timers = new Timers();

  const effects = new Effects(database);
  const book = new DemandBook();
  const agreements = new Agreements(database, effects);
  const accounts = new Accounts(database);
  const allocations = new Allocations(database, accounts, effects, timers);
  const documents = new Documents(database, new DocumentEvents(database), allocations, effects);
  const payer = new Payer(database, documents, accounts, effects, timers, options.paymentCycleSec ?? 1);
  const faults = new Faults(effects);
  const links = new Links(timers);
  const conditions = new Conditions(faults, links, {
    nodeOf: (requestorId) => nodes.find((node) => node.requestorIds.includes(requestorId)),
    providerOf: (providerId) => network.nameOf(providerId),
  });
  const network: ProviderNetwork = new ProviderNetwork({
    providers,
    book,
    agreements,
    documents,
    timers,
    conditions,
    rebroadcastSec: options.rebroadcastSec ?? 240,
    log,
  });
  const vms = createVmHost({ dataDir, database, agreements: network, effects, log });

  const nodes: RequestorNode[] = described.map(({ name, port = 0, appKeys = [] }) => {
    const identities = new Identities(database, appKeys);
    return new RequestorNode({
      ...{ name, host, port, appKeys, identities },
      routes: (app, node) => yagnaRoutes(app, node, identities),
      onChange: (node) => {
        if (node.running) {
          payer.wake();
          network.onRestored();
        } else book.forget(node.requestorIds);
      },
    });
  });
  payer.isUp = (requestor) => nodes.some((node) => node.running && node.requestorIds.includes(requestor));

  function yagnaRoutes(app: FastifyInstance, node: RequestorNode, identities: Identities): void {
    callFaults(app, node, { faults, links, providerOf });
    identityRoutes(app);
    registryRoutes(app, () => node.url);
    yagnaScope(app, (scope) => {
      demandRoutes(scope, book, effects, conditions);
      agreementRoutes(scope, book, agreements, conditions);
      scanRoutes(scope, () => network.offers());
      allocationRoutes(scope, allocations, accounts, identities);
      documentRoutes(scope, documents, payer);
    });
    void app.register((scope, _options, done) => {
      vms.registerRoutes(scope);
      done();
    });
  }

  /** What a call is about, by the ids in its path and body. */
  function providerOf(request: FastifyRequest): string | undefined {
    const { id, proposal, activityId } = request.params as Record<string, string | undefined>;
    const body = parsedBody(request);
    const agreementId = activityId === undefined ? (body.agreementId ?? id) : vms.agreementOf(activityId);
    const proposalId = proposal ?? body.proposalId;
    const document = id === undefined ? undefined : documents.find(id);
    const providerId =
      (agreementId === undefined ? undefined : agreements.find(agreementId)?.provider) ??
      (proposalId === undefined ? undefined : book.findAnywhere(request.requestorId, proposalId)?.provider) ??
      document?.provider;
    return providerId === undefined ? undefined : network.nameOf(providerId);
  }

  let admin: AdminServer | undefined;
  const close = async (): Promise<void> => {
    timers.close();
    await Promise.all([admin?.close(), ...nodes.map((node) => node.stop())]);
    await network.close();
    await vms.close();
    database.close();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    network.start(vms);
    vms.start();
    new Retention(database, timers, options.retentionSec ?? 86_400).start();
    admin = await startAdminServer(
      { effects, allocations, book, agreements, vms, nodes, faults, links, network },
      options.adminPort ?? 0,
    );
    for (const node of nodes) await node.start();
  } catch (error) {
    await close();
    throw error;
  }
  const node = (name: string): RequestorNode => {
    const found = nodes.find((each) => each.name === name);
    if (!found) throw new Error(`the devnet has no node named "${name}"`);
    return found;
  };
  const first = node(FIRST_NODE);
  return {
    get url() {
      return first.url;
    },
    get port() {
      return first.port;
    },
    ...{ appKey: first.appKey, adminUrl: admin.url, faults, links, nodes, node, close },
  };
}

const FIRST_NODE = 'requestor';

function parsedBody({ body }: FastifyRequest): { agreementId?: string; proposalId?: string } {
  try {
    const json: unknown = JSON.parse(String(body));
    return typeof json === 'object' && json !== null ? json : { agreementId: String(json) };
  } catch {
    return {};
  }
}

/** The nodes asked for cannot be. */
export class NodesError extends Error {}

/** @throws NodesError when two nodes have the same name or app key. */
function describedNodes({ port, appKeys = ['try_golem'], nodes = [] }: DevnetOptions): NodeOptions[] {
  const all = [
    { name: FIRST_NODE, port, appKeys },
    ...nodes.map((node) => ({ ...node, appKeys: node.appKeys ?? [`try_${node.name}`] })),
  ];
  const twice = (list: readonly string[]): string | undefined =>
    list.find((item, index) => list.indexOf(item) !== index);
  const name = twice(all.map((node) => node.name));
  if (name !== undefined) throw new NodesError(`two nodes of the devnet are named "${name}"`);
  if (twice(all.flatMap((node) => node.appKeys)) !== undefined)
    throw new NodesError('two nodes of the devnet have the same app key: give each one of its own');
  return all;
}
