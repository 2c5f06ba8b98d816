/** The tasks of a job spec: short forms made full, defaults filled in, and checked against each other. */
import type { TaskCommand, TaskSpec } from './job';
import { WORKER_FILE } from './worker-files';
import type { Check, Path } from './spec-problems';
import type { WrittenCommand, WrittenTask } from './spec-schema';

type FullTask = Exclude<WrittenTask, string>;

const DEFAULT_TIMEOUT_SEC = 3600;
const DEFAULT_ATTEMPTS = 3;

/**
 * @param availableSec - longest time a task can have, given how long the demand lives
 */
export function completeTasks(written: unknown, availableSec: number, check: Check): TaskSpec[] {
  if (!Array.isArray(written) || !check.isReadable(['tasks'])) return [];
  const tasks: TaskSpec[] = [];
  const taken = new Set<string>();
  const firstOfName = new Map<string, number>();
  written.forEach((item: unknown, index) => {
    if (!check.isReadable(['tasks', index])) return;
    const task = completeTask(item as WrittenTask, index, availableSec, check);
    const first = firstOfName.get(task.name);
    if (first !== undefined) {
      const path = ['tasks', index, 'name'];
      check.refuse(
        path,
        `"${task.name}" is the name of tasks[${first}] already; give each task a name of its own`,
      );
    }
    firstOfName.set(task.name, first ?? index);
    if (task.vmShared) taken.add(task.vm);
    tasks.push(task);
  });
  for (const task of tasks.filter(({ vmShared }) => !vmShared)) {
    task.vm = nameOfOwn(task.name, taken);
    taken.add(task.vm);
  }
  return tasks;
}

/** A VM name for one task alone; a user may have given any name, so it evades those. */
function nameOfOwn(taskName: string, taken: ReadonlySet<string>): string {
  let name = `own:${taskName}`;
  while (taken.has(name)) name = `own:${name}`;
  return name;
}

function completeTask(written: WrittenTask, index: number, availableSec: number, check: Check): TaskSpec {
  const path = ['tasks', index];
  const task = typeof written === 'string' ? undefined : written;
  const commands =
    typeof written === 'string'
      ? completeCommand(written, path, check)
      : completeCommands(written.commands, [...path, 'commands'], check);
  /** A field if it has its shape; another field of the same task may not. */
  const field = <K extends keyof FullTask>(name: K): FullTask[K] | undefined =>
    check.isSound([...path, name]) ? task?.[name] : undefined;

  const timeoutSec = field('timeoutSec');
  // One with checkpoints goes on in the next agreement.
  const isBound = field('checkpoint') === undefined;
  if (isBound && timeoutSec !== undefined && availableSec >= 1 && timeoutSec > availableSec) {
    check.refuse(
      [...path, 'timeoutSec'],
      `${timeoutSec} s is longer than the ${Math.floor(availableSec)} s that demand.expirationSec leaves for a task; ` +
        'lower it, raise demand.expirationSec, or give the task a checkpoint',
    );
  }
  const vm = field('vm');
  return {
    name: field('name') ?? `task-${index + 1}`,
    vm: vm ?? '',
    vmShared: vm !== undefined,
    commands,
    timeoutSec:
      timeoutSec ??
      Math.max(1, Math.min(DEFAULT_TIMEOUT_SEC, isBound ? Math.floor(availableSec) : DEFAULT_TIMEOUT_SEC)),
    maxAttempts: field('maxAttempts') ?? DEFAULT_ATTEMPTS,
    onUncertain: field('onUncertain') ?? 'freshVm',
    ...completeCheckpoint(field('checkpoint'), commands, [...path, 'checkpoint'], check),
  };
}

const DEFAULT_EVERY_SEC = 600;

function completeCheckpoint(
  written: FullTask['checkpoint'],
  commands: readonly TaskCommand[],
  path: Path,
  check: Check,
): Pick<TaskSpec, 'checkpoint'> {
  if (written === undefined) return {};
  if (commands.filter((command) => 'run' in command).length !== 1)
    check.refuse(path, 'needs a task with one program; join lines with && in one command');
  written.files.forEach((file, index) => {
    if (!VM_PLACE.test(file) || file.endsWith('/') || !file.slice(1).includes('/'))
      check.refuse(
        [...path, 'files', index],
        'must be an absolute path below a folder, such as "/golem/work/state"',
      );
  });
  for (const end of ['to', 'from'] as const) {
    const place = written[end];
    if (place !== undefined && !isOutside(place))
      check.refuse(
        [...path, end],
        'must be an http(s) URL or a file of the worker such as "files:/checkpoint.tar"',
      );
  }
  return { checkpoint: { ...written, everySec: written.everySec ?? DEFAULT_EVERY_SEC } };
}

export function completeCommands(written: unknown, path: Path, check: Check): TaskCommand[] {
  if (!Array.isArray(written)) return [];
  return written.flatMap((command: unknown, index) => {
    const at = [...path, index];
    return check.isSound(at) ? completeCommand(command as WrittenCommand, at, check) : [];
  });
}

function completeCommand(command: WrittenCommand, path: Path, check: Check): TaskCommand[] {
  if (typeof command === 'string') {
    checkLine(command, path, check);
    return [{ run: command }];
  }
  const { run, args, transfer } = command;
  if (run !== undefined && transfer !== undefined) {
    check.refuse(path, 'does two things; make run and transfer two commands');
    return [];
  }
  if (transfer !== undefined) {
    if (args !== undefined) check.refuse([...path, 'args'], 'belongs to run, not to transfer; leave it out');
    checkTransfer(transfer, [...path, 'transfer'], check);
    return [{ transfer }];
  }
  if (run === undefined) {
    if (!check.hasUnknownKey(path)) check.refuse(path, 'does nothing; give run or transfer');
    return [];
  }
  checkLine(run, [...path, 'run'], check);
  return [args === undefined ? { run } : { run, args }];
}

function checkLine(line: string, path: Path, check: Check): void {
  if (line.trim() === '') check.refuse(path, 'is blank; give something to run');
}

const URL_PLACE = /^(https?:\/\/[^\s/]+\S*|file:\/\/\/\S*)$/;
const isOutside = (place: string): boolean => URL_PLACE.test(place) || WORKER_FILE.test(place);
const VM_PLACE = /^\/[^/]/;

function checkTransfer(transfer: { from: string; to: string }, path: Path, check: Check): void {
  const wrong = (['from', 'to'] as const).filter(
    (end) => !isOutside(transfer[end]) && !VM_PLACE.test(transfer[end]),
  );
  for (const end of wrong) {
    check.refuse(
      [...path, end],
      'must be an http(s) URL, a file of the worker such as "files:/input/x", a file:///… URL or an absolute path in the VM such as "/golem/input/x"',
    );
  }
  if (wrong.length === 0 && isOutside(transfer.from) && isOutside(transfer.to)) {
    check.refuse(path, 'goes from URL to URL; one of both must be a path in the VM');
  }
}
