/**
 * Somebody who follows the pages: a folder, a home and a shell in which blocks of code are run as they stand there. Programs
 * that stay, such as a worker, get a terminal of their own. Only ports are others, so that readers do not meet, and words
 * that stand for something, such as `ID`.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { startChild, type Child } from '../../cli/child-process';
import { findTemporalBinary } from '../../cli/temporal-binary';
import { freePort } from '../../cli/free-port';
import { CLI, requireBuild } from './cli';

interface Stays {
  line: RegExp;
  /** What it prints when it can be used; a Temporal server is asked. */
  ready: RegExp;
  /** Options by which it takes the reader's ports, which are its defaults for others. */
  options?: (port: (number: number) => number, line: string) => string;
}

/** No subcommand, and perhaps options and a comment. */
const ALONE = String.raw`(?= *(--|#|$))`;

/** Programs that stay. */
const STAYING: readonly Stays[] = [
  {
    line: new RegExp(`golem-temporal devnet${ALONE}`),
    ready: /^devnet ready at /,
    options: (port) => `--port ${port(7465)} --admin-port ${port(7466)}`,
  },
  {
    line: /golem-temporal devnet broker/,
    ready: /^broker ready at /,
    options: (port) => `--port ${port(7470)}`,
  },
  { line: new RegExp(`golem-temporal worker${ALONE}`), ready: /^worker ready/ },
  {
    line: /golem-temporal ui/,
    ready: /^page at /,
    options: (port, line) => (line.includes('--listen') ? '' : `--listen 127.0.0.1:${port(7460)}`),
  },
  {
    line: /temporal server start-dev/,
    ready: /Server:/,
    options: (port) => `--port ${port(7233)} --ui-port ${port(8233)}`,
  },
  { line: /node storage\.js/, ready: /^storage at /, options: (port) => String(port(7490)) },
];

/** Options that others need: a reader in a terminal would answer the questions of `init` with its defaults. */
const OPTIONS: readonly Pick<Required<Stays>, 'line' | 'options'>[] = [
  { line: /golem-temporal init(?!.*--yes)/, options: () => '--yes' },
  {
    line: /golem-temporal devnet deposit/,
    options: (port) => `--broker http://127.0.0.1:${port(7470)}`,
  },
];

/** Of this project's programs and Temporal's, where pages name them. */
const PORTS = [7233, 8233, 7460, 7465, 7466, 7470, 7475, 7480, 7490];

export class Reader {
  /** Where the shell is. */
  readonly folder: string;
  /** What words of the pages stand for, such as `ID`. */
  readonly words = new Map<string, string>();
  /** Lines of `export` that the terminals have seen. */
  private exports = '';
  private readonly terminals: { child: Child; stays: Stays }[] = [];

  private constructor(
    root: string,
    readonly env: NodeJS.ProcessEnv,
    private readonly ports: ReadonlyMap<number, number>,
  ) {
    this.folder = join(root, 'reader');
    mkdirSync(this.folder, { recursive: true });
  }

  /**
   * @param root an empty folder, for whatever they make
   * @param withCommand that `golem-temporal` is there, as after an installation. Default true.
   */
  static async start(root: string, { withCommand = true } = {}): Promise<Reader> {
    requireBuild();
    const bin = join(root, 'bin');
    mkdirSync(bin);
    symlinkSync(await findTemporalBinary(), join(bin, 'temporal'));
    if (withCommand) {
      const command = join(bin, 'golem-temporal');
      writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
      chmodSync(command, 0o755);
    }
    const ports = new Map<number, number>();
    for (const number of PORTS) ports.set(number, await freePort());
    const env = {
      ...process.env,
      HOME: join(root, 'home'),
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      // Neither what the user's devnet keeps nor the settings of their Temporal; npm's cache, which is in the true home, is.
      XDG_DATA_HOME: join(root, 'data'),
      XDG_CONFIG_HOME: join(root, 'config'),
      npm_config_cache: process.env.npm_config_cache ?? join(process.env.HOME ?? '', '.npm'),
      TEMPORAL_ADDRESS: `127.0.0.1:${ports.get(7233)}`,
      DEVNET_ADMIN_URL: `http://127.0.0.1:${ports.get(7466)}`,
    };
    mkdirSync(env.HOME);
    return new Reader(root, env, ports);
  }

  /** The reader's own in the place of a port that pages name. */
  readonly port = (number: number): number => {
    const port = this.ports.get(number);
    if (port === undefined) throw new Error(`no page names the port ${number}`);
    return port;
  };

  /**
   * Runs a block to its end; what stays runs on.
   * @returns the lines that it has printed, without those of programs that stay
   * @throws Error with the block and all that was printed, when something in it fails
   */
  async follow(block: string): Promise<string[]> {
    const printed: string[] = [];
    let script = '';
    const run = async (): Promise<void> => {
      if (script.trim()) printed.push(...(await this.run(script)));
      script = '';
    };
    for (const line of block.split('\n')) {
      const stays = STAYING.find((each) => each.line.test(line));
      if (stays) {
        await run();
        await this.leaveRunning(line, stays);
      } else if (line.startsWith('export ')) this.exports += `${this.told(line)}\n`;
      else
        script += `${withOptions(
          line,
          OPTIONS.find((each) => each.line.test(line)),
          this.port,
        )}\n`;
    }
    await run();
    return printed;
  }

  /** Ends what stays, the last first. */
  async endTerminals(): Promise<void> {
    for (const { child } of this.terminals.splice(0).reverse()) await child.stop();
  }

  /** A line as this reader would write it. */
  private told(text: string): string {
    let told = text;
    for (const [word, meant] of this.words) told = told.replaceAll(new RegExp(`\\b${word}\\b`, 'g'), meant);
    return told.replaceAll(/(?<=:)\d{4}\b/g, (digits) => String(this.ports.get(Number(digits)) ?? digits));
  }

  private async run(script: string): Promise<string[]> {
    const printed: string[] = [];
    const errors: string[] = [];
    const child = await startChild('bash', ['-euo', 'pipefail', '-c', this.exports + this.told(script)], {
      ...{ env: this.env, cwd: this.folder },
      onStdout: (line) => printed.push(line),
      onStderr: (line) => errors.push(line),
    });
    const { code } = await child.exited;
    if (code !== 0) throw new Error([this.told(script), ...printed, ...errors].join('\n'));
    return printed;
  }

  private async leaveRunning(line: string, stays: Stays): Promise<void> {
    const { ready, options } = stays;
    // Its ports can be had once: a reader ends the one before.
    const before = this.terminals.findIndex((each) => options && each.stays === stays);
    if (before >= 0) await this.terminals.splice(before, 1)[0]?.child.stop();
    const own = withOptions(this.told(line), stays, this.port);
    const errors: string[] = [];
    const child = await startChild('bash', ['-c', this.exports + own], {
      ...{ env: this.env, cwd: this.folder },
      onStderr: (error) => errors.push(error),
    });
    this.terminals.push({ child, stays });
    await child.line(ready).catch((error: unknown) => {
      throw new Error([own, String(error), ...errors].join('\n'));
    });
    if (/temporal server/.test(line)) await this.temporalAnswers();
  }

  private async temporalAnswers(): Promise<void> {
    const address = this.env.TEMPORAL_ADDRESS;
    const connection = await Connection.connect({ address, connectTimeout: '1 minute' });
    await connection.close();
  }
}

function withOptions(
  line: string,
  command: Pick<Stays, 'line' | 'options'> | undefined,
  port: (number: number) => number,
): string {
  const options = command?.options?.(port, line);
  return command && options ? line.replace(command.line, (found) => `${found} ${options}`) : line;
}
