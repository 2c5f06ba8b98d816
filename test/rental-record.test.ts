/** What a rental takes along into its next run: all that counts, and no more than Temporal carries. */
import type { DraftProposal, ResolvedAttach } from '../activities/contract';
import type { CommandResult } from '../model/result';
import type { Assignment, RentalInput, ScriptOutcome } from '../workflows/protocol';
import {
  attachedRecord,
  carriedRecord,
  isCarriable,
  learn,
  newRentalRecord,
  nextInput,
  queueOf,
  type OutsideScript,
  type RentalRecord,
} from '../workflows/state/rental-record';

/** Temporal's own limit of one payload. */
const LIMIT = 2_000_000;
const AT = '2026-01-01T00:00:00.000Z';

const input: RentalInput = {
  job: { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' },
  n: 1,
  proposal: { provider: { id: '0x1', name: 'one' } } as DraftProposal,
  ...{ setup: [], outputLimitBytes: 65_536, interactive: true },
};
const assignment = (id: string, bytes = 0): Assignment => ({
  ...{ id, task: id, commands: [{ run: 'x'.repeat(bytes) }], timeoutSec: 1, onUncertain: 'fail' },
});
const result = (bytes: number): CommandResult => ({
  ...{ index: 0, result: 'Ok', stdout: 'x'.repeat(bytes), stderr: null, message: null },
});
const over = (scriptId: string, bytes: number): OutsideScript => ({
  ...{ scriptId, sent: true },
  outcome: { scriptId, state: 'done', results: [result(bytes)] } satisfies ScriptOutcome,
});

const record = (more: Partial<RentalRecord> = {}): RentalRecord => ({
  ...newRentalRecord(input, 'job/rental/1'),
  ...more,
});
/** As Temporal brings it to the next run. */
const carry = (from: RentalRecord, by = input): RentalRecord => {
  const text = JSON.stringify(nextInput(by, from));
  expect(Buffer.byteLength(text)).toBeLessThan(LIMIT);
  const { carried } = JSON.parse(text) as RentalInput;
  if (!carried) throw new Error('nothing is carried');
  return carriedRecord(carried);
};

test('one that took over a VM shows from its beginning what was agreed, and until when', () => {
  const { job, proposal } = input;
  const terms = { debitNotesAcceptanceTimeoutSec: 240 };
  const found: ResolvedAttach = {
    ...{ job, terms, provider: proposal.provider, agreementId: 'a', approvedAt: AT, batchIds: [] },
    ...{ validToMs: Date.parse(AT), others: [], siblings: [] },
  };
  const { progress } = attachedRecord({ attach: { activityId: 'vm' } }, found, 'golem-attach-vm');
  expect(progress).toMatchObject({ state: 'ready', agreementId: 'a', activityId: 'vm', terms, endsAt: AT });
});

test('names of VMs that were asked for in vain are kept no longer than their scripts', () => {
  const one = record();
  queueOf(one, 'there').push(assignment('a'));
  Object.assign(one.named[0] ?? {}, { activityId: 'vm', queue: [] });
  queueOf(one, 'died');
  Object.assign(one.named[1] ?? {}, { gone: 'why' });
  for (let n = 0; n < 1000; n++) queueOf(one, `invented-${n}`);
  queueOf(one, 'wanted').push(assignment('b'));
  expect(queueOf(one, 'wanted')).toHaveLength(1);
  expect(queueOf(one)).toBe(one.queue);
  expect(one.named.map(({ name }) => name)).toEqual(['there', 'died', 'wanted']);
});

test('the next run knows all that this one knew, and does not begin with its first task again', () => {
  const first = assignment('a#1');
  const before = newRentalRecord({ ...input, first }, 'job/rental/1');
  expect(before.queue).toEqual([first]);
  before.queue.shift();
  before.running = {
    ...{
      id: 'a#1',
      task: 'a',
      timeoutSec: 9,
      batchId: 'batch',
      commandCount: 1,
      startedAt: AT,
      deadlineMs: 5,
    },
  };
  Object.assign(before, {
    vm: 'vm',
    ended: ['old'],
    deaths: 1,
    taken: 7,
    seq: 3,
    everReady: true,
    retried: true,
  });
  before.outside = [{ scriptId: 'script-7', sent: false }, over('script-6', 10)];
  before.log = { next: 4, kept: [{ seq: 3, name: 'ScriptSent', at: AT, details: {} }] };
  expect(carry(before, { ...input, first })).toEqual(before);
});

test('a repeat of an assignment is known after a new run, and of thousands the newest are kept', () => {
  const known = record();
  for (let i = 0; i < 3000; i++) expect(learn(known, `task#${i}`)).toBe(true);
  const next = carry(known);
  expect(learn(next, 'task#2999')).toBe(false);
  expect(next.known.length).toBeLessThanOrEqual(100);
});

test('outcomes go along from the newest on, as far as there is room', () => {
  const outside = Array.from({ length: 20 }, (_, i) => over(`script-${i}`, 400_000));
  const kept = carry(record({ outside })).outside;
  expect(kept).toEqual(outside.slice(-4));
});

test('the newest outcome goes along however long it is, cut with a mark', () => {
  const commands = Array.from({ length: 1500 }, (_, index) => ({
    ...result(0),
    index,
    message: 'm'.repeat(200),
  }));
  const long: OutsideScript = {
    ...{ scriptId: 'script-2', sent: true },
    outcome: { scriptId: 'script-2', state: 'failed', results: [...commands, result(1_900_000)] },
  };
  const [kept, ...others] = carry(record({ outside: [over('script-1', 1_500_000), long] })).outside;
  expect(others).toEqual([]);
  expect(kept?.outcome).toMatchObject({ scriptId: 'script-2', state: 'failed' });
  expect(kept?.outcome?.results).toHaveLength(1501);
  expect(kept?.outcome?.results.at(-1)?.stdout).toMatch(/^x+\n… \[\d+ bytes cut\]$/);
});

test('a script that is not over is never left behind', () => {
  const outside = [
    { scriptId: 'script-1', sent: true },
    ...Array.from({ length: 19 }, (_, i) => over(`${i}`, 500_000)),
  ];
  expect(carry(record({ outside })).outside[0]).toEqual(outside[0]);
});

test('a queue of more than a run may be given is worked off first', () => {
  expect(isCarriable(record({ queue: [assignment('a', 100_000)] }))).toBe(true);
  expect(isCarriable(record({ queue: [assignment('a', 100_000), assignment('b', 100_000)] }))).toBe(false);
});

test('the newest events go along', () => {
  const kept = Array.from({ length: 1000 }, (_, i) => ({
    ...{ seq: i + 1, name: 'ScriptSent' as const, at: AT, details: { batchId: 'b'.repeat(1000) } },
  }));
  const next = carry(record({ log: { next: 1001, kept } })).log;
  expect(next.next).toBe(1001);
  expect(next.kept).toEqual(kept.slice(-next.kept.length));
  expect(next.kept.length).toBeGreaterThan(100);
});
