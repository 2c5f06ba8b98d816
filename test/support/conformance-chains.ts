/** Which recordings follow from each other, on what kind of network they are replayed, and what was done by hand then. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startDevnet, type Devnet, type ProviderConfig } from '../../devnet';
import { NOT_REPLAYED } from './conformance-differences';
import { replay, type ByHand, type Outcome } from './recording-replay';
import { acceptTimeout, ReplayedValues, type Precisions } from './replayed-values';

interface ChainPlan {
  files: readonly string[];
  setup?: readonly string[];
  /** How many recorded seconds pass in one. */
  scale: number;
  before?: Record<string, ByHand>;
  meanwhile?: Record<string, ByHand>;
}

const PROVIDER = 'recorded';

const withholdApproval = (devnet: Devnet): void =>
  void devnet.faults.arm({ on: 'provider.approve', do: 'withhold' });

/** Waits until there are so many of a kind. */
async function effects({ adminUrl }: Devnet, kind: string, count: number): Promise<void> {
  let last = 0;
  for (let seen = 0; seen < count;) {
    const response = await fetch(`${adminUrl}/effects?kind=${kind}&after=${last}&timeout=20`);
    const more = (await response.json()) as { seq: number }[];
    if (more.length === 0) throw new Error(`only ${seen} of ${count} ${kind} came`);
    seen += more.length;
    last = more.at(-1)?.seq ?? last;
  }
}

export const CHAINS: readonly ChainPlan[] = [
  { files: ['a1_auth_version_identity_net', 'a4_allocation_foreign_address'], scale: 1 },
  { files: ['a2_allocations'], scale: 2 },
  { files: ['a3_documents_empty'], scale: 5 },
  {
    files: [
      ...['b1_market_demands', 'b2_proposals_agreements', 'b3_provider_busy'],
      ...['c1_full_flow', 'c2_debit_notes', 'c3_invoice_payment', 'c4_debit_note_statuses_later'],
    ],
    scale: 4,
    before: {
      // A minute of debit notes had come.
      'c2_debit_notes 0': (devnet) => effects(devnet, 'debit-note-issued', 7),
      // A payment cycle was over, before the next note was accepted.
      'c2_debit_notes 21': (devnet) => effects(devnet, 'paid', 1),
    },
  },
  { files: ['d1_golemjs_oneOf'], scale: 1 },
  { files: ['d2_golemjs_manyOf'], scale: 1 },
  { files: ['d3_golemjs_debit'], scale: 1 },
  {
    files: [
      ...['e0_setup', 'e1_agreement_edges', 'e2_activity_edges', 'e2_big_output'],
      ...['e3_provider_terminates', 'e4_idle_agreement', 'e5_scan'],
    ],
    scale: 5,
    // The provider's agent stood still, while its yagna answered.
    before: { 'e1_agreement_edges 22': withholdApproval, 'e1_agreement_edges 39': withholdApproval },
  },
  {
    files: ['f0_setup', 'f1_exeunit_killed', 'f2_provider_node_down', 'f3_requestor_restart'],
    scale: 5,
    before: {
      // Its exe-unit is killed, which the provider survives.
      'f1_exeunit_killed 10': ({ links }) => links.killVms(PROVIDER),
      'f2_provider_node_down 11': ({ links }) => links.freeze(PROVIDER),
      'f2_provider_node_down 19': ({ links }) => links.thaw(PROVIDER),
      'f3_requestor_restart 17': ({ nodes }) => nodes[0]?.start(),
    },
    meanwhile: {
      'f3_requestor_restart 14': async ({ nodes }) => {
        await delay(200);
        await nodes[0]?.stop();
      },
    },
  },
  { files: ['g0_setup', 'g1_exec_timing'], scale: 5 },
  { files: ['g1a_exec_negative_timeout_crash'], setup: ['g0_setup'], scale: 5 },
  { files: ['g2_event_consumption'], setup: ['g0_setup'], scale: 10 },
  { files: ['g3_agreement_expiration'], setup: ['g0_setup'], scale: 20 },
  { files: ['g3a_debit_note_not_paid'], setup: ['g0_setup'], scale: 20 },
];

export async function replayChain(
  { files, setup = [], scale, before = {}, meanwhile = {} }: ChainPlan,
  precisions: Precisions,
): Promise<Outcome[]> {
  const fileServer = await startFileServer();
  const devnet = await startDevnet({
    providers: [providerLikeTheRecorded(scale)],
    paymentCycleSec: 20 / scale,
    rebroadcastSec: 15 / scale,
  });
  const values = new ReplayedValues(scale, precisions);
  values.know('http://127.0.0.1:7480', fileServer.url);
  try {
    return await replay(
      devnet,
      { files, setup, scale, skip: new Set(NOT_REPLAYED.keys()), before, meanwhile },
      values,
    );
  } finally {
    await devnet.close();
    fileServer.close();
  }
}

/** The one provider of the recorded network, with its times made shorter. */
function providerLikeTheRecorded(scale: number): ProviderConfig {
  return {
    name: PROVIDER,
    hardware: { cpuCores: 2, cpuThreads: 1 },
    pricing: { start: '0', cpuPerHour: '0.36', envPerHour: '0.72' },
    platforms: ['erc20-holesky-tglm'],
    approveSec: 0.05,
    createSec: 0.76 / scale,
    destroySec: 0.76 / scale,
    deploySec: 0.1,
    acceptTimeoutSec: acceptTimeout(240, scale),
    minAcceptTimeoutSec: 1,
    debitNoteIntervalSec: 120 / scale,
    paymentTimeoutSec: 120 / scale,
    minExpirationSec: 300 / scale,
    // A little early, because it ended the last of three polls by a hair.
    idleLimitSec: 90 / scale - 0.5,
    unresponsiveSec: 1,
  };
}

/** Serves the one file that was there, takes what is put, and has nothing else. */
async function startFileServer(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === 'PUT') response.writeHead(201).end();
    else if (request.url === '/base.sha3') response.end('0'.repeat(56));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
