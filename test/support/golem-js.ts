/** Programs of golem-js, as npm has it, each in a process of its own, which must come to its end by itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Devnet, Effect } from '../../devnet';

/** A line of test/support/golem-js-requestor.mjs. */
export interface Line {
  event?: string;
  agreement?: string;
  provider?: string;
  providerId?: string;
  draft?: boolean;
  amount?: string;
  error?: string;
  stdout?: string;
  streaming?: string;
  failure?: string;
  [field: string]: unknown;
}

/** Exports of golem-js-programs.mjs. */
export type ProgramName =
  | 'oneOf'
  | 'manyOf'
  | 'contention'
  | 'batches'
  | 'debitNotes'
  | 'idle'
  | 'cutShort'
  | 'unbilled'
  | 'stop'
  | 'abort'
  | 'network';

export interface Program {
  /** The first line that matches; with none left to come it is undefined. */
  line(matches: (line: Line) => boolean): Promise<Line | undefined>;
  /** Tells the program to go on: what it waits for has happened. */
  tell(): void;
}

/**
 * Runs a program of golem-js-programs.mjs to its end.
 * @param during what happens on the network meanwhile
 * @returns all that it has said
 */
export async function runGolemJs(
  devnet: Devnet,
  program: ProgramName,
  during: (program: Program) => Promise<void> = async () => undefined,
): Promise<Line[]> {
  const child = spawn(process.execPath, [join(__dirname, 'golem-js-requestor.mjs'), program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      YAGNA_API_URL: devnet.url,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
    },
  });
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let ended = false;
  const changed = (): void => [...waiting].forEach((look) => look());
  const line: Program['line'] = (matches) =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find(matches);
        if (!found && !ended) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  // It may have ended by itself, and then nobody reads.
  child.stdin.on('error', () => undefined);
  try {
    const exited = once(child, 'close');
    createInterface(child.stdout).on('line', (text) => {
      lines.push(JSON.parse(text) as Line);
      changed();
    });
    void exited.then(() => {
      ended = true;
      changed();
    });
    await during({ line, tell: () => void child.stdin.write('\n') });
    expect(await exited).toEqual([0, null]);
    return lines;
  } finally {
    child.kill('SIGKILL');
  }
}

export function errorsOf(lines: Line[]): Line[] {
  return lines.filter(({ error, failure }) => error !== undefined || failure !== undefined);
}

/** The named events are all there, and each comes first after the one before it came first. */
export function expectOrder(lines: Line[], order: string[]): void {
  const names = lines.map(({ event, draft }) => (draft ? `${event} (draft)` : event));
  const firsts = order.map((name) => ({ name, at: names.indexOf(name) }));
  expect(firsts.filter(({ at }) => at < 0)).toEqual([]);
  expect([...firsts].sort((a, b) => a.at - b.at).map(({ name }) => name)).toEqual(order);
}

export function expectNothingOpen(devnet: Devnet): void {
  expect(devnet.open().counts).toEqual({ allocations: 0, demands: 0, agreements: 0, activities: 0 });
}

/** The next script that runs a command: the one that deploys and starts the VM comes first. */
export async function commandStarted({ effects }: Devnet, after = 0): Promise<Effect<'script-started'>> {
  for (;;) {
    const started = await effects.next('script-started', after);
    if (started.commands.includes('run')) return started;
    after = started.seq;
  }
}

/** Ends the command of an activity that runs until there is a file named `stop`. */
export function stopCommand(dataDir: string, activityId: unknown): void {
  writeFileSync(join(dataDir, 'vms', String(activityId), 'root/golem/work/stop'), '');
}
