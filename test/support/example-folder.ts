/** A copy of an example's folder, in which the commands of its README are run as they stand there. */
import { cpSync, mkdtempSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type Child } from '../../cli/child-process';
import { blocksOf } from '../../scripts/doc-blocks';

const EXAMPLES = join(__dirname, '..', '..', 'examples');
const BUILT = join(__dirname, '..', '..', 'dist', 'examples');
/** Where READMEs have their storage. */
const STORAGE = 'http://127.0.0.1:7490';

export interface Output {
  /** Of all commands, those in the background too. */
  stdout: string;
  stderr: string;
}

export class ExampleFolder {
  readonly path: string;
  private readonly running = new Set<Child>();

  /** Not in a `describe` itself: where all its tests are skipped, nobody closes it. */
  constructor(private readonly name: string) {
    this.path = mkdtempSync(join(tmpdir(), 'golem-temporal-example-'));
    cpSync(join(EXAMPLES, name), this.path, { recursive: true });
  }

  /** What `npm install` and `npm run build` make: here the package is this one. */
  useBuild(): this {
    symlinkSync(join(BUILT, this.name), join(this.path, 'lib'));
    return this;
  }

  /** The lines that the README says to run. */
  get commands(): string {
    return this.marked('run');
  }

  /** Those that it says to run with the id of the workflow. */
  commandsWith(id: string): string {
    return this.marked('run with ID').replaceAll(/\bID\b/g, id);
  }

  private marked(mark: string): string {
    const page = `examples/${this.name}/README.md`;
    const blocks = blocksOf(page).filter((block) => block.mark === mark);
    if (blocks.length === 0) throw new Error(`${page} says nothing to ${mark}`);
    return blocks.map(({ text }) => text).join('');
  }

  /**
   * Runs commands, by default those of the README, up to the end of the last; what they have begun in the background
   * runs on.
   * @param storage URL to take where READMEs have the storage's
   * @throws Error with what they have printed, when one fails
   */
  async run(env: NodeJS.ProcessEnv, storage: string, commands = this.commands): Promise<Output> {
    const stdout: string[] = [];
    const stderr: string[] = [];
    const script = `set -e; trap 'echo "ended with $?"' EXIT; ${commands.replaceAll(STORAGE, storage)}`;
    const child = await startChild('bash', ['-c', script], {
      ...{ env, cwd: this.path },
      onStdout: (line) => stdout.push(line),
      onStderr: (line) => stderr.push(line),
    });
    this.running.add(child);
    const end = await child.line(/^ended with \d+$/);
    if (end !== 'ended with 0') throw new Error([commands, ...stdout, ...stderr].join('\n'));
    return { stdout: stdout.filter((line) => line !== end).join('\n'), stderr: stderr.join('\n') };
  }

  /** Ends what runs in the background, and removes the copy. */
  async close(): Promise<void> {
    await Promise.all([...this.running].map((child) => child.kill()));
    await rm(this.path, { recursive: true, force: true });
  }
}
