/**
 * GAP-17, Offline Requestor Model, scenario A: a requestor that is partially connected. Each test is one of the GAP's test
 * cases and more: a script runs before and after the outage in the same VM, one that was under way is collected, nothing
 * runs twice, and what came to be owed meanwhile is settled, an agreement that its provider ended included.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultProxy } from './support/fault-proxy';
import { Gate } from './support/gate';
import { tried } from './support/pending';
import { expectAllPaidOnce, now, since } from './support/proof';
import { tempDir } from './support/temp-dir';
import { startWorld, type World } from './support/world';

const APP_KEY = 'key-of-a-requestor';
const connections = join(tempDir('offline-partial'), 'connections.json');
const proxy = new FaultProxy();
let world: World;
let proxyUrl: string;
let gate: Gate;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    devnet: {
      ...{ paymentCycleSec: 0.1, appKeys: [APP_KEY] },
      providers: [{ name: 'one' }, { name: 'two' }],
    },
    yagnaUrl: async (url) => {
      proxyUrl = await proxy.start(url);
      yagnaIsAt(proxyUrl);
      return proxyUrl;
    },
    env: { YAGNA_APPKEY: '', GOLEM_CONNECTIONS: connections },
  });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
});
beforeEach(async () => {
  gate = await Gate.start();
  began = await now(world);
});
afterEach(async () => {
  world.devnet.links.restore();
  await gate.close();
});

function yagnaIsAt(url: string): void {
  writeFileSync(connections, JSON.stringify({ default: { url, appKey: APP_KEY } }));
}

const SPEC = {
  ...{ image: 'golem/alpine:latest', budget: '1' },
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 120 },
};

interface Outage {
  begin(): Promise<unknown> | void;
  /** Resolves when it has had its effect. @param left - the number of the last effect before it */
  isFelt(left: number, rentalId: string): Promise<unknown>;
  end(): Promise<unknown> | void;
}

async function isSurvived(outage: Outage): Promise<void> {
  const { golem } = world;
  const kept = await golem.rent(SPEC);
  const ended = await golem.rent(SPEC);
  expect(await golem.exec(kept.rentalId, ['echo before > /golem/work/log'])).toMatchObject({ state: 'done' });
  const { activityId } = await golem.rentalProgress(kept.rentalId);
  const { provider } = await golem.rentalProgress(ended.rentalId);
  const commands = [gate.command as { run: string }, 'echo meanwhile >> /golem/work/log'];
  const running = golem.exec(kept.rentalId, commands);
  await gate.visitor();

  const left = await now(world);
  await outage.begin();
  gate.open();
  await world.effect('script-finished', left);
  const shutDown = world.devnet.shutDownProvider(provider.name);
  await outage.isFelt(left, kept.rentalId);
  const back = await now(world);
  await outage.end();
  await shutDown;

  expect(await running).toMatchObject({ state: 'done' });
  expect(await golem.exec(kept.rentalId, ['cat /golem/work/log'])).toMatchObject({
    ...{ state: 'done', results: [{ stdout: 'before\nmeanwhile\n' }] },
  });
  expect((await golem.rentalProgress(kept.rentalId)).activityId).toBe(activityId);
  const owed = (await since(world, left))
    .of('debit-note-issued')
    .filter((note) => note.activityId === activityId && note.seq <= back).length;
  for (let notes = 0, seq = back; notes < Math.max(1, owed);) {
    const accepted = await world.effect('debit-note-accepted', seq);
    seq = accepted.seq;
    if (accepted.activityId === activityId) notes += 1;
  }
  expect((await golem.result(ended.jobId)).state).toBe('done');
  expect((await golem.settled(ended.jobId)).state).toBe('settled');
  await golem.terminate(kept.jobId);
  expect((await golem.settled(kept.jobId)).state).toBe('settled');

  const all = await expectAllPaidOnce(world, began);
  expect(all.count('agreement-created')).toBe(2);
  expect(all.count('activity-created')).toBe(2);
  expect(all.taskScripts()).toHaveLength(3);
  world.devnet.reopenProvider(provider.name);
}

/** Two have come in vain. */
async function notesPileUp(left: number): Promise<void> {
  const first = await world.effect('debit-note-issued', left);
  await world.effect('debit-note-issued', first.seq);
}

const node = () => world.devnet.node('requestor');

test('1.1 Requestor Agent outage: all workers are stopped for a while', async () => {
  await isSurvived({
    begin: () => world.worker.stop(),
    isFelt: notesPileUp,
    end: () => world.startWorker(),
  });
});

test('1.2 Requestor Daemon outage: yagna is stopped, and started again on its data', async () => {
  await isSurvived({
    begin: () => node().stop(),
    isFelt: (_, rentalId) => tried(world, rentalId, 3),
    end: () => node().start(),
  });
});

describe('1.3 Network disruption:', () => {
  test('yagna and the providers do not reach each other for a while', async () => {
    await isSurvived({
      begin: () => world.devnet.links.cut({ node: 'requestor' }),
      isFelt: async (_, rentalId) => {
        const { activityId } = await world.golem.rentalProgress(rentalId);
        const { url } = node();
        const headers = { authorization: `Bearer ${APP_KEY}` };
        const state = await fetch(`${url}/activity-api/v1/activity/${activityId}/state?timeout=1`, {
          headers,
        });
        expect(state.status).toBe(408);
      },
      end: () => world.devnet.links.restore(),
    });
  });

  test('the workers and yagna do not reach each other for a while', async () => {
    await isSurvived({
      begin: () => proxy.refuse(),
      isFelt: async (left, rentalId) => {
        await notesPileUp(left);
        await tried(world, rentalId, 3);
      },
      end: () => proxy.listen(),
    });
  });
});

test('1.4 Requestor Daemon network address change: yagna comes back at another port, with its identity', async () => {
  const { port } = node();
  await isSurvived({
    begin: () => node().stop(),
    isFelt: (_, rentalId) => tried(world, rentalId, 3),
    end: async () => {
      await node().start({ port: 0 });
      expect(node().port).not.toBe(port);
      yagnaIsAt(node().url);
    },
  });
  await node().restart({ port });
  yagnaIsAt(proxyUrl);
});
