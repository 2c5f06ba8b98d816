/** Whether the results of a job whose tasks are in a file went out whole: each part, and each task in them, once. */
import type { JobResult, TaskResult } from '../../model/result';

/** The one kill of a run may come between the writing of a part and its being known to be written. */
const MOST_WRITES = 2;

/** @param written - all that was written to parts, by their numbers, in order */
export function judgeParts(
  written: ReadonlyMap<number, readonly Buffer[]>,
  told: JobResult['results'],
  names: readonly string[],
): string[] {
  const broken: string[] = [];
  if (!told) return ['the result tells nothing of parts'];
  const numbers = [...written.keys()].sort((a, b) => a - b);
  if (numbers.join() !== Array.from({ length: told.parts }, (_, i) => i + 1).join())
    broken.push(`the parts ${numbers.join(', ')} were written, and the result tells of ${told.parts}`);
  for (const [part, [first, ...again]] of written) {
    if (again.some((content) => !first?.equals(content)))
      broken.push(`part ${part} was written again with other content`);
    if (again.length + 1 > MOST_WRITES) broken.push(`part ${part} was written ${again.length + 1} times`);
  }
  const inParts = tasksIn(written).map(({ name }) => name);
  for (const name of names) {
    const times = inParts.filter((each) => each === name).length;
    if (times !== 1) broken.push(`task ${name} is in the parts ${times} times`);
  }
  const { done, failed, cancelled } = told.tasks;
  if (done !== names.length || failed + cancelled > 0)
    broken.push(`the result tells of ${done} done, ${failed} failed and ${cancelled} cancelled tasks`);
  return broken;
}

/** What stands in the parts as they were written last. */
export function tasksIn(written: ReadonlyMap<number, readonly Buffer[]>): TaskResult[] {
  return [...written.values()].flatMap((contents) =>
    String(contents.at(-1))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as TaskResult),
  );
}

/** Each workflow's events are numbered on without a gap, whichever run of it they are of. */
export function judgeEvents(events: readonly { workflowId: string; seq: number }[]): string[] {
  const last = new Map<string, number>();
  return events.flatMap(({ workflowId, seq }) => {
    const before = last.get(workflowId) ?? 0;
    last.set(workflowId, seq);
    return seq === before + 1 ? [] : [`event ${seq} of ${workflowId} comes after its event ${before}`];
  });
}
