/**
 * What providers can do wrong, with bills or with work: each has its outcome (docs/payments.md), and costs at most what
 * the agreement's price makes of the time that it really lasted. Those that broke faith get nothing more.
 */
import { join } from 'node:path';
import type { FaultInput } from '../devnet/faults/faults';
import { providerNodeId } from '../devnet/identity';
import { FaultProxy } from './support/fault-proxy';
import { Gate } from './support/gate';
import { activityCompleted } from './support/history';
import { attempts, breaches, refusals, Stall, type Ended } from './support/stall';
import { tempDir } from './support/temp-dir';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const avoidFile = join(tempDir('dishonest-providers'), 'avoid.jsonl');
const proxy = new FaultProxy();

const NAMES = Array.from({ length: 40 }, (_, i) => `stall-${i + 1}`);
const free = [...NAMES];
/** Started by the first test that needs it: they run side by side. */
let starting: Promise<World> | undefined;
const theWorld = (): Promise<World> =>
  (starting ??= startWorld({
    yagnaUrl: (url) => proxy.start(url),
    workerArgs: ['--avoid', avoidFile],
    devnet: {
      paymentCycleSec: 0.1,
      providers: [
        ...NAMES.flatMap((name) => Stall.providers(name)),
        ...Stall.providers('two-at-once', { agreementLimit: 2 }),
        ...Stall.providers('flood', { minDebitNoteIntervalSec: 0.1, debitNoteIntervalSec: 0.1 }),
      ],
    },
  }));

afterAll(async () => {
  await (await starting)?.close();
  await proxy.close();
});

/** A test in a market of its own, and with a gate. */
function market(what: string, test: (stall: Stall, gate: Gate) => Promise<void>, name?: string): void {
  const at = name ?? free.shift() ?? '';
  globalThis.test.concurrent(what, async () => {
    const gate = await Gate.start();
    try {
      await test(new Stall(await theWorld(), at), gate);
    } finally {
      await gate.close();
    }
  });
}

/** Starts a job whose one task waits at the gate. */
async function waiting(stall: Stall, gate: Gate, spec: object = {}): Promise<string> {
  const tasks = [{ name: 'task', commands: [gate.command] }];
  const { jobId } = await stall.world.golem.startJob(stall.job({ tasks, ...spec }));
  return jobId;
}

describe('a debit note', () => {
  /** The cheap provider sends an honest note, and then such a one; its agreement ends at once, and the other one does the task. */
  async function isRefused(
    stall: Stall,
    gate: Gate,
    fault: FaultInput,
    demand: object = {},
  ): Promise<{ ended: Ended; reason: unknown }> {
    const { cheap, dear } = stall;
    const jobId = await waiting(stall, gate, { demand });
    // An agreement that ended before would be no attempt.
    await gate.visitor();
    await stall.effect('debit-note-accepted');
    stall.cheats(fault);
    const { reason } = await stall.effect('agreement-terminated');
    await gate.visitor(2);
    gate.open();
    const ended = await stall.end(jobId);
    expect(attempts(ended)).toEqual([
      [cheap, 'lost'],
      [dear, 'done'],
    ]);
    expect(breaches(ended)).toEqual([[cheap, 'billRefused']]);
    return { ended, reason };
  }

  market('that asks for more than its usage costs ends the agreement', async (stall, gate) => {
    const { ended } = await isRefused(stall, gate, { on: 'provider.debitNote', do: 'tooMuch' });
    expect(refusals(ended)[0]).toMatch(/it asks for .* but its usage costs/);
    expect(ended.settlement.state).toBe('settled');
  });

  market('for a usage that is impossible ends the agreement', async (stall, gate) => {
    const { ended } = await isRefused(stall, gate, {
      on: 'provider.debitNote',
      do: 'impossibleUsage',
      factor: 1000,
    });
    expect(refusals(ended)[0]).toMatch(/it claims golem\.usage\.\w+ .* but only/);
  });

  market('for less than the one before ends the agreement', async (stall, gate) => {
    const { ended } = await isRefused(stall, gate, {
      // All from now on: one that comes on the heels of another may be decided in its place.
      ...{ on: 'provider.debitNote', do: 'lessThanBefore', times: 0 },
    });
    expect(refusals(ended)[0]).toMatch(/less than the .* accepted before/);
  });

  market('that comes more often than agreed ends the agreement by TooManyDebitNotes', async (stall, gate) => {
    const { ended, reason } = await isRefused(stall, gate, {
      on: 'provider.debitNote',
      do: 'tooOften',
      times: 0,
    });
    expect(reason).toMatchObject({ 'golem.requestor.code': 'TooManyDebitNotes' });
    expect(refusals(ended)[0]).toMatch(/more often than every 1 s/);
  });

  market(
    'of a flood that no agreement forbids ends it likewise, and the flood is not read to its end',
    async (stall, gate) => {
      const { cheap, dear, world } = stall;
      const demand = { midAgreementDebitNoteIntervalSec: null, debitNotesAcceptanceTimeoutSec: null };
      // The end that it is to come to is kept back: its notes go on coming.
      const held = proxy.hold(/^POST .*\/agreements\/\w+\/terminate$/, {
        when: ({ body }) => body.includes('where nothing is agreed'),
      });
      const jobId = await waiting(stall, gate, { demand });
      await gate.visitor();
      await held.reached;
      const told = await stall.effects('debit-note-issued');
      await stall.effect('debit-note-issued', told.length + 20);
      held.release();
      const { reason, at: endedAt } = await stall.effect('agreement-terminated');
      expect(reason).toMatchObject({
        ...{ message: 'debit notes come more often than every 10 s where nothing is agreed' },
        'golem.requestor.code': 'TooManyDebitNotes',
      });
      await gate.visitor(2);
      gate.open();
      const ended = await stall.end(jobId);
      expect(attempts(ended)).toEqual([
        [cheap, 'lost'],
        [dear, 'done'],
      ]);
      expect(breaches(ended)).toEqual([[cheap, 'billRefused']]);
      expect(ended.settlement.state).toBe('settled');
      // Those in the pace that is granted, ten and one each 10 s, and one too many.
      const { at: approvedAt } = await stall.effect('agreement-approved');
      const lastedSec = (Date.parse(endedAt) - Date.parse(approvedAt)) / 1000;
      const decided = ended.settlement.agreements.find(({ provider }) => provider.name === cheap)?.debitNotes;
      expect(decided).toBeLessThanOrEqual(12 + Math.ceil(lastedSec / 10));
      expect(refusals(ended)).toHaveLength(1);
      expect((await world.effects('debit-note-issued')).length).toBeGreaterThan(30);
    },
    'flood',
  );

  market(
    'that is payable, which nobody agreed to, ends it by TooManyPayableDebitNotes',
    async (stall, gate) => {
      const { reason } = await isRefused(stall, gate, { on: 'provider.debitNote', do: 'payable' });
      expect(reason).toMatchObject({
        ...{ message: 'payable debit notes were not agreed' },
        'golem.requestor.code': 'TooManyPayableDebitNotes',
      });
    },
  );

  market('that is payable more often than agreed ends it likewise', async (stall, gate) => {
    const demand = { midAgreementPaymentTimeoutSec: 10 };
    const { reason } = await isRefused(
      stall,
      gate,
      { on: 'provider.debitNote', do: 'payable', times: 0 },
      demand,
    );
    expect(reason).toMatchObject({
      ...{ message: expect.stringMatching(/more often than every 10 s/) as string },
      'golem.requestor.code': 'TooManyPayableDebitNotes',
    });
  });

  market('sent twice costs nothing more, and is no breach of faith', async (stall, gate) => {
    const { cheap } = stall;
    stall.cheats({ on: 'provider.debitNote', do: 'twice' });
    const jobId = await waiting(stall, gate);
    await stall.effect('debit-note-accepted', 3);
    gate.open();
    const ended = await stall.end(jobId);
    expect(attempts(ended)).toEqual([[cheap, 'done']]);
    expect(ended.settlement.state).toBe('settled');
    expect(refusals(ended)).toEqual([]);
  });

  market('that never comes is not missed: the invoice is paid', async (stall, gate) => {
    const withheld = stall.cheats({ on: 'provider.debitNote', do: 'withhold', times: 0 });
    const jobId = await waiting(stall, gate);
    await withheld.hit(1);
    gate.open();
    const ended = await stall.end(jobId);
    expect(ended.settlement).toMatchObject({ state: 'settled', agreements: [{ debitNotes: 0 }] });
  });

  market(
    'for the VM of another agreement is not paid twice over',
    async (stall, gate) => {
      const jobs = [await waiting(stall, gate), await waiting(stall, gate)];
      await gate.visitor(2);
      const fault = stall.cheats({ on: 'provider.debitNote', do: 'otherAgreement' });
      await fault.hit();
      await gate.visitor(3);
      gate.open();
      const ended = await Promise.all(jobs.map((jobId) => stall.end(jobId)));
      expect(ended.map(({ result }) => result.state)).toEqual(['done', 'done']);
      expect(ended.flatMap((each) => attempts(each)).sort()).toEqual([
        [stall.cheap, 'done'],
        [stall.cheap, 'lost'],
        [stall.dear, 'done'],
      ]);
      expect(ended.flatMap(refusals)).toEqual([
        expect.stringMatching(/an activity that the job does not know/),
      ]);
      expect(ended.flatMap(breaches)).toEqual([[stall.cheap, 'billRefused']]);
    },
    'two-at-once',
  );
});

describe('an invoice', () => {
  /** The cheap provider does the task, and then bills it so. */
  async function billed(stall: Stall, gate: Gate, fault: FaultInput, spec: object = {}): Promise<Ended> {
    const { cheap } = stall;
    stall.cheats(fault);
    const jobId = await waiting(stall, gate, spec);
    await stall.effect('debit-note-accepted');
    gate.open();
    const ended = await stall.end(jobId);
    expect(attempts(ended)).toEqual([[cheap, 'done']]);
    return ended;
  }

  market(
    'above what the agreement can have cost is rejected, and pays nothing more than its notes',
    async (stall, gate) => {
      const ended = await billed(stall, gate, { on: 'provider.invoice', do: 'tooMuch', factor: 1000 });
      expect(ended.settlement.state).toBe('unpaid');
      expect(ended.settlement.agreements).toMatchObject([{ state: 'rejected' }]);
      expect(refusals(ended)[0]).toMatch(/it asks for .* cost at most/);
      expect(breaches(ended)).toEqual([[stall.cheap, 'billRefused']]);
    },
  );

  market('of nothing, though debit notes were accepted, is rejected, as yagna would', async (stall, gate) => {
    const ended = await billed(stall, gate, { on: 'provider.invoice', do: 'zero' });
    expect(ended.settlement.state).toBe('unpaid');
    expect(refusals(ended)).toEqual([expect.stringMatching(/less than the .* accepted before/)]);
  });

  market('of nothing, when nothing was noted, is paid with nothing', async (stall, gate) => {
    stall.cheats({ on: 'provider.debitNote', do: 'withhold', times: 0 });
    stall.cheats({ on: 'provider.invoice', do: 'zero' });
    gate.open();
    const ended = await stall.end(await waiting(stall, gate));
    expect(ended.settlement).toMatchObject({ state: 'settled', money: { paid: '0' } });
    expect(breaches(ended)).toEqual([]);
  });

  market('sent a second time, with another amount, is rejected', async (stall, gate) => {
    const ended = await billed(stall, gate, { on: 'provider.invoice', do: 'twice' });
    expect(ended.settlement.state).toBe('settled');
    expect(refusals(ended)).toEqual(['the agreement has an accepted invoice already']);
    expect(breaches(ended)).toEqual([[stall.cheap, 'billRefused']]);
  });

  market('followed by a debit note is paid, and the note left', async (stall, gate) => {
    const ended = await billed(stall, gate, { on: 'provider.invoice', do: 'noteAfter' });
    expect(ended.settlement.state).toBe('settled');
    expect(refusals(ended)).toEqual([]);
  });

  market('that comes late is paid when it comes', async (stall, gate) => {
    const ended = await billed(stall, gate, { on: 'provider.invoice', do: 'delay', sec: 2 });
    expect(ended.settlement.state).toBe('settled');
  });

  market('that never comes leaves paid what debit notes have paid', async (stall, gate) => {
    const spec = { invoiceWaitSec: 5 };
    const ended = await billed(stall, gate, { on: 'provider.invoice', do: 'withhold' }, spec);
    expect(ended.settlement).toMatchObject({ state: 'unpaid', agreements: [{ state: 'unpaid' }] });
    expect(Number(ended.settlement.money.paid)).toBeGreaterThan(0);
    expect(breaches(ended)).toEqual([]);
  });
});

interface Result {
  index: number;
  result: string;
  stdout: unknown;
}

describe('results', () => {
  /** What the cheap provider tells of a script after its first command is changed. */
  async function changed(
    stall: Stall,
    gate: Gate,
    change: (results: Result[]) => Result[],
    task: object = {},
  ): Promise<Ended> {
    const jobId = await waiting(stall, gate, {
      tasks: [{ name: 'task', commands: [gate.command, 'echo true'], ...task }],
    });
    await gate.visitor();
    const { activityId } = await stall.effect('activity-created');
    proxy.rewrite<Result[]>(new RegExp(`^GET .*/activity/${activityId}/exec/\\w+$`), change, {
      // The poll that waits for the first command was on its way before.
      when: ({ query }) => query.get('commandIndex') === '1',
    });
    gate.open();
    return await stall.end(jobId);
  }

  market('that never come end by the time of the task, which another provider does', async (stall, gate) => {
    const { cheap, dear } = stall;
    stall.cheats({ on: 'provider.run', do: 'hang' });
    gate.open();
    const ended = await stall.end(
      await waiting(stall, gate, { tasks: [{ commands: ['echo hello'], timeoutSec: 2 }] }),
    );
    expect(attempts(ended)).toEqual([
      [cheap, 'failed'],
      [dear, 'done'],
    ]);
    expect(ended.result.tasks[0]?.attempts[0]?.reason).toBe('the script ran longer than its time');
    expect(ended.settlement.state).toBe('settled');
    // Nobody can tell it from a task that takes long.
    expect(breaches(ended)).toEqual([]);
  });

  market('that are none, of a script said to be over, end by the time of the task', async (stall, gate) => {
    const ended = await changed(stall, gate, () => [], { timeoutSec: 4 });
    expect(attempts(ended)).toEqual([
      [stall.cheap, 'failed'],
      [stall.dear, 'done'],
    ]);
  });

  market('of a command that was not sent are a breach of faith', async (stall, gate) => {
    const ended = await changed(stall, gate, ([first, second]) => [
      first as Result,
      { ...(second as Result), index: 7 },
    ]);
    expect(attempts(ended)).toEqual([
      [stall.cheap, 'lost'],
      [stall.dear, 'done'],
    ]);
    expect(ended.result.tasks[0]?.attempts[0]?.reason).toMatch(/it tells of command 7 of a script of 2/);
    expect(breaches(ended)).toEqual([[stall.cheap, 'resultsUntrue']]);
    expect(ended.settlement.state).toBe('settled');
  });

  market('that contradict what was told before are one, too', async (stall, gate) => {
    const ended = await changed(stall, gate, (results) =>
      results.map((each) => ({ ...each, result: 'Error' })),
    );
    expect(breaches(ended)).toEqual([[stall.cheap, 'resultsUntrue']]);
  });

  market('in a form that nobody can read send the task elsewhere', async (stall, gate) => {
    const ended = await changed(stall, gate, (results) =>
      results.map((each) => ({ ...each, stdout: { text: 1 } })),
    );
    expect(attempts(ended)).toEqual([
      [stall.cheap, 'lost'],
      [stall.dear, 'done'],
    ]);
    // It may be yagna's mistake.
    expect(breaches(ended)).toEqual([]);
  });

  market('given as bytes are read as text', async (stall, gate) => {
    const ended = await changed(stall, gate, (results) =>
      results.map((each) => ({ ...each, stdout: [...Buffer.from('true\n')] })),
    );
    expect(ended.result.tasks[0]?.results[1]?.stdout).toBe('true\n');
  });

  market('that claim success are taken: what was computed cannot be checked', async (stall, gate) => {
    const ended = await changed(stall, gate, (results) =>
      results.map((each) => ({ ...each, stdout: 'false\n' })),
    );
    expect(attempts(ended)).toEqual([[stall.cheap, 'done']]);
    expect(ended.result.tasks[0]?.results[1]?.stdout).toBe('false\n');
  });

  market('without end are cut off by the time of the task', async (stall, gate) => {
    const ended = await stall.end(
      await waiting(stall, gate, { tasks: [{ commands: ['yes'], timeoutSec: 3, maxAttempts: 1 }] }),
    );
    expect(ended.result.tasks[0]).toMatchObject({ state: 'failed', failure: { type: 'TaskTimedOut' } });
    expect(ended.settlement.state).toBe('settled');
  });

  market('of megabytes are cut to what was asked for', async (stall, gate) => {
    const print = "head -c 30000000 /dev/zero | tr '\\0' x";
    const ended = await stall.end(
      await waiting(stall, gate, { outputLimitBytes: 1000, tasks: [{ commands: [print, print, print] }] }),
    );
    for (const { stdout } of ended.result.tasks[0]?.results ?? [])
      expect(stdout).toMatch(/^x{1000}\n… \[\d+ bytes cut\]$/);
    expect(attempts(ended)).toEqual([[stall.cheap, 'done']]);
  });
});

describe('a provider', () => {
  market('that agrees only to a higher price than it offered is not hired', async (stall, gate) => {
    const { world, cheap, dear } = stall;
    // Cheap by its offer, and by far the dearest by its draft.
    stall.cheats({ on: 'provider.negotiate', do: 'dearer', factor: 1000, times: 0 });
    gate.open();
    const ended = await stall.end(await waiting(stall, gate));
    expect(attempts(ended)).toEqual([[dear, 'done']]);
    const signed = (await world.effects('agreement-created')).map(({ providerId }) => providerId);
    expect(signed).not.toContain(providerNodeId(cheap));
    expect(breaches(ended)).toEqual([]);
  });

  market('that shuts down under a running script is no breach of faith', async (stall, gate) => {
    const jobId = await waiting(stall, gate);
    await gate.visitor();
    await stall.world.devnet.shutDownProvider(stall.cheap);
    await gate.visitor(2);
    gate.open();
    const ended = await stall.end(jobId);
    expect(attempts(ended)).toEqual([
      [stall.cheap, 'lost'],
      [stall.dear, 'done'],
    ]);
    expect(ended.result.tasks[0]?.attempts[0]?.reason).toMatch(/Terminated by Provider \(Shutdown/);
    expect(breaches(ended)).toEqual([]);
    expect(ended.settlement.state).toBe('settled');
  });

  market('that ends the agreement under a running script without need is avoided', async (stall, gate) => {
    const jobId = await waiting(stall, gate);
    await gate.visitor();
    const { agreementId } = await stall.effect('agreement-approved');
    proxy.rewrite<{ reason?: object }>(
      new RegExp(`^GET .*/agreements/${agreementId}/terminate/reason$`),
      (event) => ({ ...event, reason: { message: 'I found a better customer' } }),
    );
    await stall.world.devnet.shutDownProvider(stall.cheap);
    await gate.visitor(2);
    gate.open();
    const ended = await stall.end(jobId);
    expect(breaches(ended)).toEqual([[stall.cheap, 'agreementEnded']]);
    expect(ended.result.tasks[0]?.attempts[0]?.reason).toMatch(/I found a better customer/);
  });

  market(
    'whose VM died gets another under the same agreement, and its tasks begin again',
    async (stall, gate) => {
      const { world, cheap } = stall;
      const jobId = await waiting(stall, gate, {
        tasks: [
          { name: 'writes', vm: 'shared', commands: ['echo kept > /golem/output/file'] },
          { name: 'reads', vm: 'shared', commands: [gate.command, 'cat /golem/output/file'] },
        ],
      });
      await gate.visitor();
      world.devnet.links.killVms(cheap);
      await gate.visitor(2);
      gate.open();
      const ended = await stall.end(jobId);
      expect(ended.result.tasks[1]?.results[1]?.stdout).toBe('kept\n');
      expect(attempts(ended, 1)).toEqual([
        [cheap, 'lost'],
        [cheap, 'done'],
      ]);
      const [lost, done] = ended.result.tasks[1]?.attempts ?? [];
      expect(done?.agreementId).toBe(lost?.agreementId);
      expect(done?.activityId).not.toBe(lost?.activityId);
      expect(ended.settlement).toMatchObject({
        state: 'settled',
        agreements: [{ provider: { name: cheap } }],
      });
      // Two start prices, as agreed.
      expect(Number(ended.settlement.money.paid)).toBeGreaterThanOrEqual(0.002);
    },
  );

  market('whose VM dies again loses the task to another', async (stall, gate) => {
    const { world, cheap, dear } = stall;
    const jobId = await waiting(stall, gate);
    await gate.visitor();
    world.devnet.links.killVms(cheap);
    await gate.visitor(2);
    world.devnet.links.killVms(cheap);
    await gate.visitor(3);
    gate.open();
    const ended = await stall.end(jobId);
    expect(attempts(ended)).toEqual([
      [cheap, 'lost'],
      [cheap, 'lost'],
      [dear, 'done'],
    ]);
    expect(ended.settlement.state).toBe('settled');
  });

  market('that refuses a second VM loses the task to another, at no attempt more', async (stall, gate) => {
    const { world, cheap, dear } = stall;
    stall.cheats({ on: 'provider.createActivity', do: 'refuse', nth: 2 });
    const jobId = await waiting(stall, gate);
    await gate.visitor();
    world.devnet.links.killVms(cheap);
    await gate.visitor(2);
    gate.open();
    const ended = await stall.end(jobId);
    expect(attempts(ended)).toEqual([
      [cheap, 'lost'],
      [dear, 'done'],
    ]);
    expect(ended.settlement.state).toBe('settled');
  });

  market('that cannot be reached for a while keeps its script, which runs once', async (stall, gate) => {
    const { world, cheap } = stall;
    const later = await Gate.start();
    const jobId = await waiting(stall, gate, {
      tasks: [{ commands: [gate.command, later.command, 'echo done'] }],
    });
    await gate.visitor();
    const { activityId } = await stall.effect('activity-created');
    const silent = proxy.answer(
      new RegExp(`^GET .*/activity/${activityId}/(exec/\\w+|state)$`),
      408,
      { message: 'Timeout' },
      { times: 6 },
    );
    gate.open();
    await silent.hit(6);
    later.open();
    const ended = await stall.end(jobId);
    await later.close();
    expect(attempts(ended)).toEqual([[cheap, 'done']]);
    expect(ended.result.tasks[0]?.results[2]?.stdout).toBe('done\n');
    const started = (await world.effects('script-started')).filter(
      (effect) => effect.activityId === activityId,
    );
    expect(started).toHaveLength(2);
  });

  market(
    'that crashed and is back has lost the task; without an invoice only its notes are paid',
    async (stall, gate) => {
      const { world, cheap, dear } = stall;
      const jobId = await waiting(stall, gate, { invoiceWaitSec: 5 });
      await gate.visitor();
      world.devnet.links.crash(cheap);
      await gate.visitor(2);
      world.devnet.links.revive(cheap);
      gate.open();
      const ended = await stall.end(jobId);
      expect(attempts(ended)).toEqual([
        [cheap, 'lost'],
        [dear, 'done'],
      ]);
      expect(ended.settlement.agreements).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ state: 'unpaid' }),
          expect.objectContaining({ state: 'settled' }),
        ]),
      );
      expect(breaches(ended)).toEqual([]);
    },
  );

  market('that broke faith gets no more of its job, though nobody else is there', async (stall, gate) => {
    const { world, cheap, dear } = stall;
    const jobId = await waiting(stall, gate, { providers: { deny: [providerNodeId(dear)] } });
    await gate.visitor();
    stall.cheats({ on: 'provider.debitNote', do: 'tooMuch' });
    await stall.effect('agreement-terminated');
    const why = /1 × broke faith: it sent a bill that was refused/;
    await activityCompleted(world, jobId, 'golemNegotiate', 2);
    expect((await world.golem.progress(jobId)).lastFailure?.message).toMatch(why);
    await world.golem.cancel(jobId);
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
    const settlement = await world.golem.settled(jobId);
    expect(settlement.agreements.map(({ provider }) => provider.name)).toEqual([cheap]);
  });

  market('that broke faith gets no work of later jobs of the worker, which say why', async (stall, gate) => {
    const { world, cheap, dear } = stall;
    stall.cheats({ on: 'provider.invoice', do: 'tooMuch', factor: 1000 });
    gate.open();
    const first = await stall.end(await waiting(stall, gate));
    expect(attempts(first)).toEqual([[cheap, 'done']]);
    const second = await stall.end(await waiting(stall, gate));
    expect(attempts(second)).toEqual([[dear, 'done']]);

    const jobId = await waiting(stall, gate, { providers: { deny: [providerNodeId(dear)] } });
    const why = "1 × on the worker's list to avoid: it sent a bill that was refused";
    await activityCompleted(world, jobId, 'golemNegotiate');
    expect((await world.golem.progress(jobId)).lastFailure?.message).toContain(why);
    await world.golem.cancel(jobId);
    await world.golem.settled(jobId);
  });
});

test('and after all of it nothing is left open', async () => {
  const world = await theWorld();
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
