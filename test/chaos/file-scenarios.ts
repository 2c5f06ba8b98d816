/**
 * Jobs whose tasks are in a file: read page by page, their results written in parts. One of them goes on as new runs, and
 * loses a rental that an earlier run has begun: only the watch of what it has inherited tells it.
 */
import { randomUUID } from 'node:crypto';
import type { JobEvent } from '../../client';
import { continued as hasContinued, runsOf } from '../support/runs';
import type { ChaosWorld } from './chaos-world';
import { judgeEvents, judgeParts, tasksIn } from './file-verdict';
import { answered, rentalOf } from './persistent';
import { COMMON, type Prepared, type Scenario } from './scenario';

/** Four of these lines are a page, and nine of their outputs a part. */
const LINE = 45_000;
const OUTPUT = 36_000;
const NAMES = Array.from({ length: 10 }, (_, i) => `t${i + 1}`);
/** Fails the first time that it is run. */
const FRAGILE = 't3';
const WAITS = 'waits';

const evidenceOf = (names: readonly string[]) => ({
  tasks: names.map((name) => ({ name, stdout: `${'x'.repeat(OUTPUT)}${name}\n` })),
  budget: COMMON.budget,
  mustBeDone: true,
  settles: 'settled' as const,
});

export const FILE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'tasks from a file',
    ...evidenceOf(NAMES),
    isFor: ['golemReadTasks', 'golemWriteResults'],
    prepare: (world) =>
      fromFile(world, NAMES, { [FRAGILE]: { from: world.web.failsAtFirst(3), to: '/golem/work/once' } }),
  },
  {
    name: 'continued',
    ...evidenceOf([WAITS, ...NAMES]),
    isFor: ['golemWatchWorkflows'],
    isHurried: true,
    workflows: [''],
    prepare: continued,
  },
];

/** @param transfers - what some tasks transfer before their own command, by their names */
function fromFile(
  { web }: ChaosWorld,
  names: readonly string[],
  transfers: Readonly<Record<string, object>>,
): Prepared {
  const file = `chaos-${randomUUID()}`;
  const lines = names.map((name) => {
    const transfer = transfers[name];
    const loud = `head -c ${OUTPUT} /dev/zero | tr "\\0" x; echo ${name} # `.padEnd(LINE, '-');
    return JSON.stringify({ name, commands: [...(transfer ? [{ transfer }] : []), loud] });
  });
  web.files.set(`${file}.jsonl`, Buffer.from(lines.map((line) => `${line}\n`).join('')));
  const written = (): Map<number, Buffer[]> =>
    new Map(
      [...web.written].flatMap(([name, contents]): [number, Buffer[]][] => {
        const [, part] = new RegExp(`^${file}-(\\d+)\\.jsonl$`).exec(name) ?? [];
        return part === undefined ? [] : [[Number(part), contents]];
      }),
    );
  let told: Parameters<typeof judgeParts>[1];
  return {
    spec: {
      ...COMMON,
      // Not what this is about.
      demand: { ...COMMON.demand, midAgreementDebitNoteIntervalSec: 3 },
      tasks: { from: web.fileUrl(`${file}.jsonl`) },
      resultsTo: web.fileUrl(`${file}-{part}.jsonl`),
    },
    wholeResult(result) {
      told = result.results;
      const tasks = [...tasksIn(written()), ...result.tasks];
      tasks.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
      return { ...result, tasks };
    },
    judge: () => judgeParts(written(), told, names),
  };
}

function continued(world: ChaosWorld): Prepared {
  const { golem, client, devnet, web } = world;
  const door = web.door();
  const prepared = fromFile(world, [WAITS, ...NAMES], {
    [WAITS]: { from: door.url, to: '/golem/work/door' },
  });
  return {
    ...prepared,
    async during(jobId, since) {
      await door.knocked;
      const { raw, runId } = await client.workflow.getHandle(jobId).describe();
      await hasContinued(world, jobId, raw.workflowExecutionInfo?.firstRunId || runId);
      const holder = await rentalOf(world, jobId, ({ currentTask }) => currentTask === WAITS);
      await client.workflow.getHandle(holder.workflowId).terminate();
      for (let after = since; ;) {
        const ended = await devnet.effects.next('agreement-terminated', after);
        if (ended.agreementId === holder.agreementId) break;
        after = ended.seq;
      }
      door.open();
    },
    async judge(jobId) {
      const events: JobEvent[] = [];
      for await (const event of golem.followEvents(jobId)) events.push(event);
      const runs = await answered(() => runsOf(world, jobId));
      return [
        ...((await prepared.judge?.(jobId)) ?? []),
        ...judgeEvents(events),
        ...(runs.length < 2 ? ['the job did not go on as a new run'] : []),
      ];
    },
  };
}
