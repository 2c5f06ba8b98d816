/**
 * Rentals that are talked to from outside: one that is detached from its job, taken over by another and ended by that, and
 * one that only its owner controls, and whom he lets. What each script did is written down in the VM itself.
 */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ControlSigner } from '../../client/control-signer';
import { namedCause } from '../../client/errors';
import { signedFor } from '../../client/signed-for';
import type { Operation } from '../../model/control';
import type { RentalProgress } from '../../model/result';
import type { ScriptOutcome } from '../../model/script';
import type { ChaosWorld } from './chaos-world';
import { ATTACHED } from './crash-points';
import type { ScriptEvidence } from './evidence';
import { answered, rentalOf, update } from './persistent';
import { COMMON, type Prepared, type Scenario } from './scenario';

const LOG = '/golem/work/log';
export const writes = (name: string): string[] => [`echo ${name} >> ${LOG}`, `echo ${name}`];
export const READS = `cat ${LOG}`;

const base = { budget: COMMON.budget, mustBeDone: true, settles: 'settled' as const };

export const RENTAL_SCENARIOS: readonly Scenario[] = [
  {
    name: 'detached and attached',
    ...base,
    tasks: [
      { name: 'first', stdout: 'first\n' },
      { name: 'waits', ends: 'cancelled' },
      { name: 'never', ends: 'cancelled' },
    ],
    isFor: ['golemResolveAttach', 'golemDescribeDetach'],
    workflows: [ATTACHED],
    prepare: detachedAndAttached,
  },
  {
    name: 'closed',
    ...base,
    tasks: [],
    isFor: ['golemVerifyControl'],
    workflows: ['/rental/1'],
    prepare: closed,
  },
];

/** Runs a script until it is known that it has run, and takes down each time what it came to. */
async function run(
  scripts: ScriptEvidence[],
  script: Pick<ScriptEvidence, 'what' | 'stdout'>,
  send: () => Promise<ScriptOutcome>,
): Promise<void> {
  for (;;) {
    const outcome = await send();
    scripts.push({ ...script, outcome });
    if (outcome.state !== 'uncertain') return;
  }
}

function detachedAndAttached(world: ChaosWorld): Prepared {
  const { golem, client, devnet, web } = world;
  const door = web.door();
  const scripts: ScriptEvidence[] = [];
  const broken: string[] = [];
  return {
    spec: {
      ...COMMON,
      providers: { max: 1 },
      tasks: [
        { name: 'first', commands: writes('first') },
        {
          name: 'waits',
          commands: [{ transfer: { from: door.url, to: '/golem/work/door' } }, ...writes('waits')],
        },
        { name: 'never', commands: writes('never') },
      ],
    },
    scripts,
    async during(jobId) {
      await door.knocked;
      const holder = (): Promise<RentalProgress> =>
        rentalOf(world, jobId, ({ currentTask }) => currentTask === 'waits');
      let { workflowId } = await holder();
      // Where it is uncertain, it is run once more.
      while (!(await answered(() => golem.rentalProgress(workflowId))).currentBatch)
        ({ workflowId } = await holder());
      const { activityId, batchId = '', validTo, says } = await golem.detach(workflowId);
      if (!says.join().includes(validTo)) broken.push(`it is not said when it ends: ${says.join(' ')}`);
      await golem.result(jobId);
      const open = devnet.open();
      if (!open.activities.some((each) => each.activityId === activityId))
        broken.push(`the VM ${activityId} is not left alive`);
      const { rentalId } = await golem.attach({ activityId });
      const waits = golem.followScript(rentalId, batchId);
      door.open();
      const inherited = { what: 'that was there', stdout: /^waits\n$/, isInherited: true };
      scripts.push({ ...inherited, outcome: await waits });
      // A task whose outcome was uncertain had its VM made anew.
      const log = { what: 'that reads what was done', stdout: /^(first\n)?waits\n$/ };
      await run(scripts, log, () => golem.exec(rentalId, [READS]));
      await answered(() => golem.terminate(rentalId, 'seen enough'));
      await client.workflow.getHandle(rentalId).result();
    },
    judge: () => broken,
  };
}

async function closed(world: ChaosWorld): Promise<Prepared> {
  const { golem } = world;
  const [owner, agent] = await Promise.all([ControlSigner.generate(), ControlSigner.generate()]);
  const scripts: ScriptEvidence[] = [];
  /** What was refused, in the order in which it was tried; expected, and told to who tried. */
  const refusals: { expected: string; told: string }[] = [];
  const as = async <T>(by: ControlSigner, rental: string, operation: Operation, asked: object): Promise<T> =>
    await update<T>(
      world,
      rental,
      operation,
      await by.authorize(await signedFor(world.client, rental), operation, asked),
    );
  const refused = async (expected: string, rental: string, operation: Operation, signed: object) => {
    const told = await update(world, rental, operation, signed).then(() => 'nothing', refusalOf);
    refusals.push({ expected, told });
  };
  /** Its signature is good for that once. */
  const asOnce = async <T>(rental: string, operation: Operation, asked: object): Promise<T> => {
    const signed = await owner.authorize(await signedFor(world.client, rental), operation, asked);
    const answer = await update<T>(world, rental, operation, signed);
    await refused('Replayed', rental, operation, signed);
    return answer;
  };
  const outcome = async (rental: string, scriptId: string): Promise<ScriptOutcome> => {
    for (;;) {
      const told = await as<ScriptOutcome>(owner, rental, 'scriptResult', { scriptId });
      if (told.state !== 'running') return told;
    }
  };
  return {
    spec: { ...COMMON, providers: { max: 1 }, tasks: [], interactive: true, control: { owner: owner.key } },
    scripts,
    async during(jobId) {
      const isUp = ({ state }: { state: string }): boolean => state === 'ready' || state === 'busy';
      const { workflowId: id } = await rentalOf(world, jobId, isUp);
      const exec = async (name: string, send: (asked: object) => Promise<{ scriptId: string }>) =>
        await run(scripts, { what: `by ${name}`, stdout: new RegExp(`^${name}\n$`) }, async () =>
          outcome(id, (await send({ commands: writes(name) })).scriptId),
        );
      await exec('owner', (asked) => asOnce(id, 'executeScript', asked));
      const until = new Date(Date.now() + 3_600_000).toISOString();
      await asOnce(id, 'grant', { key: agent.key, permissions: ['exec'], until });
      await exec('agent', (asked) => as(agent, id, 'executeScript', asked));
      await asOnce(id, 'revoke', { key: agent.key });
      const late = await agent.authorize(await signedFor(world.client, id), 'executeScript', {
        commands: writes('late'),
      });
      await refused('Revoked', id, 'executeScript', late);
      const log = { what: 'that reads what was done', stdout: logOf(scripts, ['owner', 'agent']) };
      await run(scripts, log, async () => {
        const asked = { commands: [READS] };
        const sent = await as<{ scriptId: string }>(owner, id, 'executeScript', asked);
        return await outcome(id, sent.scriptId);
      });
      await as(owner, id, 'terminate', { reason: 'enough' });
    },
    async judge(jobId) {
      const { events } = await answered(() => golem.events(jobId, { limit: 1000 }));
      const told = events
        .filter(({ name }) => name === 'ControlRefused')
        .map(({ details }) => details.refusal);
      return judgeRefusals(refusals, told);
    },
  };
}

/** Each name once, but for scripts of it that may have run besides. */
export function logOf(scripts: readonly ScriptEvidence[], names: readonly string[]): RegExp {
  const lines = names.map((name) => {
    const sent = scripts.filter(({ what }) => what === `by ${name}`).length;
    return `(${name}\n){1,${sent}}`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

function refusalOf(error: unknown): string {
  if (!(error instanceof WorkflowUpdateFailedError)) throw error;
  const { type, details } = namedCause(error) ?? {};
  return type === 'ControlRefused' ? String(details?.[0]) : String(type);
}

/** Each was refused by its name, and the owner can see it once. */
export function judgeRefusals(
  refusals: readonly { expected: string; told: string }[],
  events: readonly unknown[],
): string[] {
  const broken = refusals.flatMap(({ expected, told }) =>
    told === expected ? [] : [`what should be refused as ${expected} came to: ${told}`],
  );
  const expected = refusals.map((each) => each.expected).join(', ');
  if (events.join(', ') !== expected)
    broken.push(`the events tell of the refusals ${events.join(', ')}; they were ${expected}`);
  return broken;
}
