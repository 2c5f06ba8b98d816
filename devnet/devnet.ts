/** Puts the devnet together: database, market, payment, providers, VM host, nodes; and takes it apart again. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { openThings, startAdminServer, type AdminServer, type OpenThings } from './admin/server';
import { requestsAreCauses } from './cause';
import { DataDir } from './data-dir';
import { Effects } from './effects';
import { callFaults } from './faults/call-faults';
import { Conditions } from './faults/conditions';
import { Faults } from './faults/faults';
import { Links } from './faults/links';
import { callName } from './faults/operations';
import { Identities, identityRoutes } from './identity';
import { agreementRoutes } from './market/agreement-routes';
import { Agreements } from './market/agreements';
import { DemandBook } from './market/book';
import { scanRoutes } from './market/scan-routes';
import { demandRoutes } from './market/demand-routes';
import { Networks } from './net-api/networks';
import { netRoutes } from './net-api/routes';
import { checkOptions, describedNodes, FIRST_NODE } from './options';
import { Acceptance } from './payment/acceptance';
import { AllocationChecks } from './payment/allocation-checks';
import { allocationRoutes } from './payment/allocation-routes';
import { Allocations } from './payment/allocations';
import { Billing } from './payment/billing';
import { Deposits } from './payment/deposits';
import { DocumentEvents } from './payment/document-events';
import { batchRoutes } from './payment/batch-routes';
import { documentRoutes } from './payment/document-routes';
import { Documents } from './payment/documents';
import { driverStatusRoutes } from './payment/driver-status-routes';
import { KeyPayments } from './payment/key-payments';
import { Ledger } from './payment/ledger';
import { Payables } from './payment/payables';
import { Payer } from './payment/payer';
import { Payments } from './payment/payments';
import { Reservations } from './payment/reservations';
import { Settlement } from './payment/settlement';
import { DEFAULT_FUNDS, Wallets } from './payment/wallets';
import { BrokerClaims } from './provider/broker-claims';
import { ProviderNetwork } from './provider/network';
import { describeProviders, loadProviders, type ProvidersInput } from './provider/providers-file';
import { ShutDownProviders } from './provider/shut-down';
import { registryRoutes } from './registry-routes';
import { RequestorNode, type NodeOptions } from './requestor-node';
import { Retention } from './retention';
import { yagnaScope } from './server/http';
import { otherSideRoutes } from './server/other-side-routes';
import { serviceRoutes } from './service-routes';
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
  /** Its providers: a list, the form that a file has, or the name of such a file. Default: five different ones. */
  providers?: ProvidersInput | string;
  /** Where state lives, kept over restarts. Default: a temporary directory, removed on close. */
  dataDir?: string;
  /** Begin with nothing: what a devnet has left in `dataDir` is removed. Default false. */
  fresh?: boolean;
  /** Seconds from an acceptance to the payment of all that was accepted by then; 0: at once. Default 1. */
  paymentCycleSec?: number;
  /** What a requestor's wallet holds at its first allocation on a platform, GLM. Default `'1000'`; `'0'`: nothing. */
  funds?: string;
  /** Seconds between rounds in which free providers offer again to live demands, 0 for never. Default: as `providers` has it. */
  rebroadcastSec?: number;
  /** Tags that its image registry knows beside the well-known ones of `golem/`, such as `me/renderer:v2`. */
  images?: string[];
  /** Seconds for which what is over is remembered: agreements, allocations, the ledger, effects. Default 86,400. */
  retentionSec?: number;
  /** Seconds in which a connection to a VM of a virtual network has to come about. Default 45, as for yagna. */
  tcpConnectSec?: number;
  /** Seconds after which such a connection is given up when nothing gets through any more. Default 120, as for yagna. */
  tcpSilenceSec?: number;
  /** Gets a line for what a watcher may want to know; the first says how isolated commands are. */
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
  /** Who holds how much, and means to move it. */
  wallets: Wallets;
  /** Who paid whom, for what, when. */
  ledger: Ledger;
  /** Money in contracts for requestors to spend. */
  deposits: Deposits;
  /** Everything that happened on the network, and a way to wait for what happens next. */
  effects: Pick<Effects, 'all' | 'next'>;
  /** What is open on the network now: after a test, nothing should be. */
  open(): OpenThings;
  /** The requestor nodes, the first one first. */
  nodes: readonly RequestorNode[];
  /** The node of that name. @throws Error when there is none */
  node(name: string): RequestorNode;
  /**
   * A provider goes out of business in good order: its offer is gone, its agreements end with the code `Shutdown`, and
   * so it stays, over restarts too. Resolves when their VMs are gone. @throws Error when there is none of that name
   */
  shutDownProvider(name: string): Promise<void>;
  /** A provider that was shut down is in business again. @throws Error when there is none of that name */
  reopenProvider(name: string): void;
  /** Stops providers, VMs and nodes, and removes the data directory if it was a temporary one. */
  close(): Promise<void>;
}

/** @throws OptionsError, ProvidersError with a line for each mistake in the options */
export async function startDevnet(options: DevnetOptions = {}): Promise<Devnet> {
  checkOptions(options);
  const { host = '127.0.0.1', paymentCycleSec = 1, log = () => undefined } = options;
  const { providers, rebroadcastSec } =
    typeof options.providers === 'string'
      ? loadProviders(options.providers)
      : describeProviders(options.providers ?? {});
  const described = describedNodes(options);
  const dataDir = new DataDir(options.dataDir, options);
  const { database } = dataDir;
  const timers = new Timers();

  const effects = new Effects(database);
  const book = new DemandBook(effects);
  const agreements = new Agreements(database, effects, timers);
  const ledger = new Ledger(database);
  const wallets = new Wallets(database, ledger, effects);
  wallets.fundsOf = (owner) => nodes.find((node) => node.requestorIds.includes(owner))?.funds ?? '0';
  const deposits = new Deposits(database, wallets, effects);
  const payables = new Payables(database);
  const reservations = new Reservations(database);
  const checks = new AllocationChecks(wallets, deposits, payables, reservations);
  const allocations = new Allocations({
    ...{ database, wallets, deposits, checks, reservations, effects, timers },
  });
  const documents = new Documents(database, new DocumentEvents(database));
  const billing = new Billing(database, documents, effects);
  const settlement = new Settlement(database, documents, payables, effects);
  const acceptance = new Acceptance({ database, documents, allocations, payables, settlement, effects });
  const payments = new Payments(database);
  const keyPayments = new KeyPayments(database, wallets, effects);
  const payer = new Payer({
    ...{ database, acceptance, settlement, allocations, payables, payments },
    ...{ wallets, deposits, effects, timers, cycleSec: paymentCycleSec },
  });
  const names = { node: described.map(({ name }) => name), provider: providers.map(({ name }) => name) };
  const faults = new Faults(effects, names);
  const links = new Links(timers, effects, names);
  const conditions = new Conditions(faults, links, {
    nodeOf: (requestorId) => nodes.find((node) => node.requestorIds.includes(requestorId)),
    providerOf: (providerId) => network.nameOf(providerId),
  });
  const brokerClaims = new BrokerClaims({
    ...{ database, documents, billing, agreements, effects, conditions, timers },
    nameOf: (providerId) => network.nameOf(providerId),
  });
  acceptance.hasOtherPayer = (id) => brokerClaims.has(id);
  const network: ProviderNetwork = new ProviderNetwork({
    providers,
    shutDown: new ShutDownProviders(database, effects),
    book,
    agreements,
    documents,
    billing,
    claims: brokerClaims,
    wallets,
    timers,
    conditions,
    rebroadcastSec: options.rebroadcastSec ?? rebroadcastSec,
    log,
  });
  const vms = createVmHost({ dataDir: dataDir.path, database, agreements: network, effects, log });

  const nodes: RequestorNode[] = described.map(({ name, port = 0, appKeys = [], funds = DEFAULT_FUNDS }) => {
    const identities = new Identities(database, appKeys);
    return new RequestorNode({
      ...{ name, host, port, appKeys, funds, identities },
      routes: (app, node) => yagnaRoutes(app, node, identities),
      onChange: (node) => {
        effects.record(node.running ? 'node-started' : 'node-stopped', { node: node.name, port: node.port });
        if (node.running) {
          payer.wake();
          network.onRestored();
        } else book.forget(node.requestorIds);
      },
    });
  });
  payer.isUp = (requestor) => nodes.some((node) => node.running && node.requestorIds.includes(requestor));

  function yagnaRoutes(app: FastifyInstance, node: RequestorNode, identities: Identities): void {
    const networks = new Networks(effects);
    requestsAreCauses(app, (request) => {
      const call = callName(request.method, request.routeOptions.url);
      return `${call ?? `${request.method} ${request.url}`} at node ${node.name}`;
    });
    callFaults(app, node, {
      ...{ faults, links, log, hasVms: (name) => network.hasVms(name) },
      providerOf: (request) => providerOf(request, networks),
    });
    identityRoutes(app);
    registryRoutes(app, () => node.url, options.images ?? []);
    yagnaScope(app, (scope) => {
      demandRoutes(scope, book, conditions);
      agreementRoutes(scope, book, agreements, conditions);
      scanRoutes(scope, network, effects);
      allocationRoutes(scope, allocations, wallets, identities);
      documentRoutes(scope, { documents, acceptance, payments });
      driverStatusRoutes(scope, payer);
      batchRoutes(scope, database, payer);
      netRoutes(scope, networks, {
        ...{ vms, conditions, effects, timers },
        connectSec: options.tcpConnectSec ?? 45,
        silenceSec: options.tcpSilenceSec ?? 120,
      });
      serviceRoutes(scope, effects);
      otherSideRoutes(scope);
    });
    void app.register((scope, _options, done) => {
      vms.registerRoutes(scope);
      done();
    });
  }

  /** What a call is about, by the ids in its path and body. */
  function providerOf(request: FastifyRequest, networks: Networks): string | undefined {
    const { id, proposal, activityId, net, ip } = request.params as Record<string, string | undefined>;
    const body = parsedBody(request);
    const { agreementId: asked } = request.query as { agreementId?: string };
    const agreementId =
      activityId === undefined ? (body.agreementId ?? asked ?? id) : vms.agreementOf(activityId);
    const proposalId = proposal ?? body.proposalId;
    const document = id === undefined ? undefined : documents.find(id);
    const providerId =
      (agreementId === undefined ? undefined : agreements.find(agreementId)?.provider) ??
      (proposalId === undefined ? undefined : book.findAnywhere(request.requestorId, proposalId)?.provider) ??
      document?.provider ??
      vms.vmAt(net ?? '', networks.nodeAt(request.requestorId, net, ip) ?? '', ip ?? '')?.providerId;
    return providerId === undefined ? undefined : network.nameOf(providerId);
  }

  const parts = {
    ...{ effects, allocations, book, agreements, vms, nodes, faults, links, network, names },
    ...{ wallets, ledger, deposits, payables, payments, reservations, keyPayments, brokerClaims },
  };
  let admin: AdminServer | undefined;
  const close = async (failed = false): Promise<void> => {
    timers.close();
    effects.close();
    faults.disarmAll();
    await Promise.all([admin?.close(), ...nodes.map((node) => node.close())]);
    await network.close();
    await vms.close();
    dataDir.close({ failed });
  };
  try {
    network.start(vms);
    vms.start();
    new Retention(database, timers, options.retentionSec ?? 86_400).start();
    for (const node of nodes) await node.start();
    admin = await startAdminServer(parts, options.adminPort ?? 0);
  } catch (error) {
    await close(true);
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
    ...{ appKey: first.appKey, adminUrl: admin.url, faults, links, effects, nodes, node },
    ...{ wallets, ledger, deposits },
    close: () => close(),
    open: () => openThings(parts),
    shutDownProvider: (name) => network.shutDown(name),
    reopenProvider: (name) => network.reopen(name),
  };
}

function parsedBody({ body }: FastifyRequest): { agreementId?: string; proposalId?: string } {
  try {
    const json: unknown = JSON.parse(String(body));
    return typeof json === 'object' && json !== null ? json : { agreementId: String(json) };
  } catch {
    return {};
  }
}
