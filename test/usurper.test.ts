/**
 * GAP-17, scenario C: a rental with an owner takes scripts and control by signed Updates alone. Whoever tries without the
 * right is refused by name, changes nothing, and the owner sees it.
 */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ControlSigner, type SignedFor } from '../client/control-signer';
import { signedFor } from '../client/signed-for';
import type { Operation, Permission, Refusal } from '../model/control';
import type { GolemEvent } from '../model/events';
import type { ScriptOutcome } from '../workflows/protocol';
import { historiesOf } from './support/history';
import { sendUpdate } from './support/updates';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

let world: World;
let owner: ControlSigner;
let agent: ControlSigner;
let stranger: ControlSigner;
beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 } });
  [owner, agent, stranger] = (await Promise.all([1, 2, 3].map(() => ControlSigner.generate()))) as [
    ControlSigner,
    ControlSigner,
    ControlSigner,
  ];
});
afterAll(() => world?.close());

const BASE = { image: 'golem/alpine:latest', budget: '1' };
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

/** The workflow that has the id now. */
const now = (workflowId: string): Promise<SignedFor> => signedFor(world.client, workflowId);

const update = <T>(workflowId: string, name: string, argument: object): Promise<T> =>
  sendUpdate(world, workflowId, name, argument);

/** A closed rental whose workflow runs. */
class Closed {
  private constructor(
    readonly jobId: string,
    readonly id: string,
  ) {}

  static async open(id?: string): Promise<Closed> {
    const after = (await world.effects()).at(-1)?.seq;
    const spec = { ...BASE, interactive: true, control: { owner: owner.key } };
    const { jobId } = await world.golem.startJob(spec, { jobId: id });
    await world.effect('agreement-created', after);
    return new Closed(jobId, `${jobId}/rental/1`);
  }

  async as<T>(signer: ControlSigner, operation: Operation, args: object): Promise<T> {
    return await update(this.id, operation, await signer.authorize(await now(this.id), operation, args));
  }

  async run(signer: ControlSigner, line: string): Promise<ScriptOutcome> {
    const { scriptId } = await this.as<{ scriptId: string }>(signer, 'executeScript', { commands: [line] });
    return await this.as(owner, 'scriptResult', { scriptId });
  }

  async grant(by: ControlSigner, key: string, permissions: Permission[], until = inAnHour()): Promise<void> {
    await this.as(by, 'grant', { key, permissions, until });
  }

  async refusals(): Promise<GolemEvent[]> {
    const events = await world.client.workflow.getHandle(this.id).query<GolemEvent[]>('events');
    return events.filter(({ name }) => name === 'ControlRefused');
  }

  /** Is refused by name, which the owner sees, and has sent nothing to the VM. */
  async refuses(attempt: () => Promise<unknown>, refusal: Refusal): Promise<void> {
    const seen = (await this.refusals()).length;
    const scripts = (await world.effects('script-received')).length;
    const error = await attempt().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
    const { cause } = error as WorkflowUpdateFailedError;
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect(cause).toMatchObject({ type: 'ControlRefused', details: [refusal] });
    const told = (await this.refusals()).slice(seen);
    expect(told.map(({ details }) => details.refusal)).toEqual([refusal]);
    expect((await world.effects('script-received')).length).toBe(scripts);
  }

  /** The owner's own end: nothing is left. */
  async end(): Promise<void> {
    await this.as(owner, 'terminate', { reason: 'enough' });
    await world.golem.result(this.jobId);
    await world.golem.settled(this.jobId);
    expect(await world.open()).toEqual(NOTHING_OPEN);
  }
}

const SCRIPT = { commands: ['echo mine'] };

describe('a closed rental', () => {
  let rental: Closed;
  beforeAll(async () => {
    rental = await Closed.open();
    expect((await rental.run(owner, 'echo mine')).results[0]?.stdout).toBe('mine\n');
  });
  afterAll(() => rental.end());

  test('takes nothing without a signature', async () => {
    await rental.refuses(() => update(rental.id, 'executeScript', SCRIPT), 'NoSignature');
    await rental.refuses(() => update(rental.id, 'scriptResult', { scriptId: 'script-1' }), 'NoSignature');
    await rental.refuses(() => update(rental.id, 'terminate', { reason: 'mine now' }), 'NoSignature');
    const grant = { key: stranger.key, permissions: ['exec'], until: inAnHour() };
    await rental.refuses(() => update(rental.id, 'grant', grant), 'NoSignature');
    await rental.refuses(() => update(rental.id, 'revoke', { key: agent.key }), 'NoSignature');
  });

  test('takes nothing from a key that nobody granted anything', async () => {
    await rental.refuses(() => rental.as(stranger, 'executeScript', SCRIPT), 'WrongKey');
    await rental.refuses(() => rental.as(stranger, 'terminate', {}), 'WrongKey');
    await rental.refuses(() => rental.grant(stranger, stranger.key, ['exec']), 'WrongKey');
  });

  test('takes no signature that has expired, or that would live for long', async () => {
    const signed = async (nowMs: number, lifeSec: number) =>
      owner.authorize(await now(rental.id), 'executeScript', SCRIPT, { nowMs, lifeSec });
    const old = await signed(Date.now() - 120_000, 60);
    await rental.refuses(() => update(rental.id, 'executeScript', old), 'Expired');
    const everlasting = await signed(Date.now(), 86_400);
    await rental.refuses(() => update(rental.id, 'executeScript', everlasting), 'TooLong');
  });

  test('takes a signature once, also from two at the same moment', async () => {
    const signed = await owner.authorize(await now(rental.id), 'executeScript', SCRIPT);
    const send = () => update<{ scriptId: string }>(rental.id, 'executeScript', signed);
    const both = await Promise.allSettled([send(), send()]);
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of both)
      if (each.status === 'fulfilled')
        await rental.as(owner, 'scriptResult', { scriptId: each.value.scriptId });
    await rental.refuses(send, 'Replayed');
  });

  test('takes no signature of another rental, for another operation or over other arguments', async () => {
    const here = await now(rental.id);
    const elsewhere = { ...here, workflowId: `${rental.jobId}/rental/2` };
    const other = await owner.authorize(elsewhere, 'executeScript', SCRIPT);
    await rental.refuses(() => update(rental.id, 'executeScript', other), 'OtherRental');
    const read = await owner.authorize(here, 'scriptResult', SCRIPT);
    await rental.refuses(() => update(rental.id, 'executeScript', read), 'OtherRental');
    const { authorization } = await owner.authorize(here, 'executeScript', SCRIPT);
    const changed = { commands: ['echo theirs'], authorization };
    await rental.refuses(() => update(rental.id, 'executeScript', changed), 'OtherArguments');
    const forged = { ...SCRIPT, authorization: `${authorization.slice(0, -4)}AAAA` };
    await rental.refuses(() => update(rental.id, 'executeScript', forged), 'BadSignature');
  });

  test('lets an agent do what it was granted, and no more', async () => {
    await rental.grant(owner, agent.key, ['exec']);
    expect((await rental.run(agent, 'echo by an agent')).results[0]?.stdout).toBe('by an agent\n');
    await rental.refuses(() => rental.as(agent, 'scriptResult', { scriptId: 'script-1' }), 'NotPermitted');
    await rental.refuses(() => rental.as(agent, 'terminate', {}), 'NotPermitted');
    await rental.refuses(() => rental.grant(agent, stranger.key, ['exec']), 'NotPermitted');
  });

  test('lets nobody grant more than he has, nor take his grant back from above', async () => {
    await rental.grant(owner, agent.key, ['exec', 'grant']);
    await rental.refuses(() => rental.grant(agent, stranger.key, ['exec', 'terminate']), 'GrantTooWide');
    const late = new Date(Date.now() + 7_200_000).toISOString();
    await rental.refuses(() => rental.grant(agent, stranger.key, ['exec'], late), 'GrantTooWide');
    await rental.refuses(() => rental.as(agent, 'revoke', { key: agent.key }), 'NotPermitted');
  });

  test('forgets what was passed on when it is revoked, and says so', async () => {
    await rental.grant(owner, agent.key, ['exec', 'grant']);
    await rental.grant(agent, stranger.key, ['exec'], new Date(Date.now() + 1_800_000).toISOString());
    expect((await rental.run(stranger, 'echo for now')).results[0]?.stdout).toBe('for now\n');
    await rental.as(owner, 'revoke', { key: agent.key });
    await rental.refuses(() => rental.as(agent, 'executeScript', SCRIPT), 'Revoked');
    await rental.refuses(() => rental.as(stranger, 'executeScript', SCRIPT), 'Revoked');
  });

  test('keeps its grants and the signatures that it took when a worker dies', async () => {
    await rental.grant(owner, agent.key, ['exec']);
    const signed = await agent.authorize(await now(rental.id), 'executeScript', SCRIPT);
    const { scriptId } = await update<{ scriptId: string }>(rental.id, 'executeScript', signed);
    await world.worker.kill();
    await world.startWorker();
    await rental.as(owner, 'scriptResult', { scriptId });
    await rental.refuses(() => update(rental.id, 'executeScript', signed), 'Replayed');
    expect((await rental.run(agent, 'echo still')).results[0]?.stdout).toBe('still\n');
  });

  test('its job, too, is ended and topped up by the owner alone', async () => {
    const handle = world.client.workflow.getHandle(rental.jobId);
    const refused = async (name: string, argument: object): Promise<unknown> =>
      await handle.executeUpdate(name, { args: [argument] }).then(
        () => undefined,
        (error: WorkflowUpdateFailedError) => (error.cause as ApplicationFailure).type,
      );
    expect(await refused('terminate', { reason: 'mine' })).toBe('ControlRefused');
    expect(await refused('topUp', { amount: '1' })).toBe('ControlRefused');
    const ofRental = await owner.authorize(await now(rental.id), 'topUp', { amount: '1' });
    expect(await refused('topUp', ofRental)).toBe('ControlRefused');
    const signed = await owner.authorize(await now(rental.jobId), 'topUp', { amount: '1' });
    expect(await handle.executeUpdate('topUp', { args: [signed] })).toMatchObject({ budget: '2' });
  });

  test('no private key is in a history, nor anything that is good twice', async () => {
    let sent = 0;
    for (const workflowId of [rental.id, rental.jobId]) {
      const events = (await historiesOf(world, workflowId)).flat();
      const told = textOf(events);
      expect(told.includes(owner.key)).toBe(true);
      for (const signer of [owner, agent]) expect(told.includes(String(signer.toJwk().d))).toBe(false);
      const updates = events.flatMap(
        (event) => event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input ?? [],
      );
      for (const jws of new Set(told.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g))) {
        const asked = updates.find(({ args }) => textOf(args).includes(jws));
        const argument = JSON.parse(textOf(asked?.args)) as object;
        const again = update(workflowId, String(asked?.name), argument);
        const error: unknown = await again.catch((reason: unknown) => reason);
        const { cause } = error as WorkflowUpdateFailedError;
        expect({ jws, type: (cause as ApplicationFailure).type }).toEqual({ jws, type: 'ControlRefused' });
        sent += 1;
      }
    }
    expect(sent).toBeGreaterThan(30);
  });
});

test("a closed job's own tasks need no signature, its spec has signed for them", async () => {
  const { jobId } = await world.golem.startJob({
    ...{ ...BASE, control: { owner: owner.key }, tasks: ['echo one', 'echo two'] },
  });
  const { state, tasks } = await world.golem.result(jobId);
  expect([state, ...tasks.map(({ results }) => results[0]?.stdout)]).toEqual(['done', 'one\n', 'two\n']);
  await world.golem.settled(jobId);
});

test('marks of a closed rental name its owner by a hash; one that has its id later takes nothing that was signed for it', async () => {
  const rental = await Closed.open();
  await rental.run(owner, 'true');
  const spent = await owner.authorize(await now(rental.id), 'executeScript', SCRIPT);
  const { scriptId } = await update<{ scriptId: string }>(rental.id, 'executeScript', spent);
  await rental.as(owner, 'scriptResult', { scriptId });
  const unspent = await owner.authorize(await now(rental.id), 'terminate', {});
  const { marks } = await demandMarks();
  expect(marks.some((mark) => /\/\d+\/[0-9a-f]{64}$/.test(mark))).toBe(true);
  expect(marks.some((mark) => mark.includes(owner.key))).toBe(false);
  await rental.end();

  // What was signed for it is not for a later one that has its id.
  const next = await Closed.open(rental.jobId);
  await next.run(owner, 'true');
  expect(next.id).toBe(rental.id);
  await next.refuses(() => update(next.id, 'executeScript', spent), 'OtherRun');
  await next.refuses(() => update(next.id, 'terminate', unspent), 'OtherRun');
  await next.end();
});

/** All that payloads say. */
function textOf(within: unknown): string {
  const payloads = [...JSON.stringify(within).matchAll(/"data":"([^"]*)"/g)];
  return payloads.map(([, data = '']) => Buffer.from(data, 'base64').toString()).join('\n');
}

async function demandMarks(): Promise<{ marks: string[] }> {
  const response = await fetch(`${world.devnet.url}/market-api/v1/demands`, {
    headers: { authorization: `Bearer ${world.devnet.appKey}` },
  });
  const demands = (await response.json()) as { properties: Record<string, unknown> }[];
  return { marks: demands.map(({ properties }) => String(properties['golem.temporal.mark'])) };
}
