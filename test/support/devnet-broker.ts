/** A broker as a process of its own, beside a devnet of a test's, and money deposited with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from '../../cli/child-process';
import type { Devnet } from '../../devnet';
import { startCli } from './cli';
import { adminPost } from './devnet-rental';
import { PLATFORM } from './devnet-requestor';

export interface DecidedClaim {
  id: string;
  kind: string;
  status: string;
  agreementId: string;
  amount: string;
  added: string;
  reason?: string;
  untilMs?: number;
}

export interface Deposit {
  id: string;
  left: string;
  spent: string;
  amount: string;
  closed: boolean;
}

export interface BrokerProcess {
  readonly url: string;
  readonly address: string;
  /** The process that runs now. */
  child: Child;
  /** Starts it again on its data and its port, after it was killed. */
  start(): Promise<void>;
  /** Status and body of what it answers. */
  call<T>(path: string, body?: object): Promise<[number, T]>;
  /** Moves money of the devnet's first node to it, with rules. */
  deposit(amount: string, rules?: object): Promise<Deposit>;
  get(id: string): Promise<Deposit>;
  claims(id: string): Promise<DecidedClaim[]>;
  stop(): Promise<void>;
}

export async function startBrokerProcess(devnet: Devnet, { hourSec = 3600 } = {}): Promise<BrokerProcess> {
  const data = mkdtempSync(join(tmpdir(), 'golem-temporal-broker-'));
  let port = 0;
  const start = async (): Promise<[Child, string, string]> => {
    const args = ['--port', String(port), '--data', data, '--hour', String(hourSec)];
    const child = await startCli(['devnet', 'broker', ...args, '--admin-url', devnet.adminUrl], {
      // It has nobody's key.
      YAGNA_APPKEY: '',
    });
    const line = await child.line(/^broker ready/);
    const [, url = '', address = ''] = /at (\S+), wallet (\S+)/.exec(line) ?? [];
    port = Number(new URL(url).port);
    return [child, url, address];
  };
  const [child, url, address] = await start();
  const broker: BrokerProcess = {
    ...{ url, address, child },
    async start() {
      [broker.child] = await start();
    },
    async call<T>(path: string, body?: object) {
      const response = await fetch(`${url}${path}`, {
        ...(body && {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
      });
      return [response.status, (await response.json()) as T];
    },
    async deposit(amount, rules = {}) {
      const [requestor = ''] = devnet.nodes[0]?.requestorIds ?? [];
      const transfer = { from: requestor, to: address, amount, platform: PLATFORM };
      expect((await adminPost(devnet, '/transfers', transfer))[0]).toBe(200);
      const [status, deposit] = await broker.call<Deposit>('/deposits', { requestor, amount, ...rules });
      expect([status, deposit]).toEqual([201, expect.objectContaining({ amount })]);
      return deposit;
    },
    get: async (id) => (await broker.call<Deposit>(`/deposits/${id}`))[1],
    claims: async (id) => (await broker.call<DecidedClaim[]>(`/deposits/${id}/claims`))[1],
    async stop() {
      await broker.child.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
  return broker;
}
