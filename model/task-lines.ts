/**
 * Tasks in a file of JSON Lines: what a line may hold, and what all of them together must keep to, so that a job can read
 * the file piece by piece. Not for workflows: zod does not belong into their bundle.
 */
import type { TaskSpec } from './job';
import { jsonSize } from './result-size';
import { taskListSchema } from './spec-schema';
import { checkBeyond, shapeProblems, writePath } from './spec-problems';
import { completeTasks } from './spec-tasks';

/** Bytes of one line. */
export const MAX_LINE_BYTES = 100_000;
/** Commands of one task: their results are kept together until they are written. */
export const MAX_LINE_COMMANDS = 200;
/** Tasks that share a VM are read together. */
export const MAX_GROUP_TASKS = 500;
export const MAX_GROUP_JSON = 200_000;
/** Tasks of one file. Their names are compared, which takes memory of the worker. */
export const MAX_FILE_TASKS = 1_000_000;

export type TaskLine = { task: TaskSpec; problems: [] } | { task?: undefined; problems: string[] };

/**
 * @param line - its number, from 1
 * @param availableSec - longest time a task can have, given how long the demand lives
 */
export function readTaskLine(text: string, line: number, availableSec: number): TaskLine {
  const place = `tasks line ${line}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problems: [`${place}: is no JSON; give a string or an object`] };
  }
  const list = { tasks: [value] };
  const shape = taskListSchema.safeParse(list);
  const problems = shape.error ? shapeProblems(taskListSchema, shape.error) : [];
  const [task] = completeTasks(list.tasks, availableSec, checkBeyond(problems));
  if (task && task.commands.length > MAX_LINE_COMMANDS) {
    const most = `at most ${MAX_LINE_COMMANDS} go into one; join lines with &&`;
    problems.push({ path: ['tasks', 0, 'commands'], text: `are ${task.commands.length}, and ${most}` });
  }
  if (problems.length > 0 || !task) {
    const said = problems.map(({ path, text: what }) => {
      const within = path.slice(2);
      return within.length > 0 ? `${place}: ${writePath(within)}: ${what}` : `${place}: ${what}`;
    });
    return { problems: said };
  }
  const isNamed = typeof value === 'object' && value !== null && 'name' in value;
  const name = isNamed ? task.name : `task-${line}`;
  return { task: { ...task, name, vm: task.vmShared ? task.vm : `own:${name}` }, problems: [] };
}

/** Checks the lines of a file against each other, in their order. */
export class TaskLinesCheck {
  count = 0;
  /** Of the task that has most. */
  mostCommands = 0;
  private readonly names = new Map<string, number>();
  private readonly vms = new Set<string>();
  private group = { vm: '', tasks: 0, json: 0 };

  /** @returns what is wrong, each in one line */
  add(task: TaskSpec, line: number): string[] {
    this.count += 1;
    this.mostCommands = Math.max(this.mostCommands, task.commands.length);
    const problems: string[] = [];
    const first = this.names.get(task.name);
    if (first === undefined) this.names.set(task.name, line);
    else problems.push(`name: "${task.name}" is the name of line ${first} already; give each task its own`);
    problems.push(...this.addToGroup(task));
    return problems.map((problem) => `tasks line ${line}: ${problem}`);
  }

  private addToGroup(task: TaskSpec): string[] {
    if (!task.vmShared || task.vm !== this.group.vm) this.group = { vm: '', tasks: 0, json: 0 };
    if (!task.vmShared) return [];
    const { group } = this;
    const problems: string[] = [];
    if (group.vm === '' && this.vms.has(task.vm))
      problems.push(`vm: "${task.vm}" was that of earlier lines; put all tasks of a vm one after the other`);
    this.vms.add(task.vm);
    const before = { ...group };
    this.group = { vm: task.vm, tasks: group.tasks + 1, json: group.json + jsonSize(task) };
    const isOver = ({ tasks, json }: typeof group): boolean =>
      tasks > MAX_GROUP_TASKS || json > MAX_GROUP_JSON;
    // Told once.
    if (isOver(this.group) && !isOver(before))
      problems.push(
        `vm: "${task.vm}" has too many tasks; at most ${MAX_GROUP_TASKS}, of ${MAX_GROUP_JSON} bytes, go into one`,
      );
    return problems;
  }
}
