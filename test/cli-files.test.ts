/** Job files before they are started, and what the command says of itself: nothing here needs Temporal. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { EXAMPLES } from '../cli/examples';
import { EXIT_CODES } from '../cli/failure';
import { readYaml } from '../cli/placed-text';
import { completions } from '../cli/completion-command';
import { makeProgram } from '../cli/program';
import { readSpecFile } from '../cli/spec-file';
import { parseJobSpec } from '../model/spec';
import type { Command } from 'commander';
import { CLI, requireBuild, runCli } from './support/cli';
import { tempDir } from './support/temp-dir';

beforeAll(requireBuild);
const folder = tempDir('files');
const NOWHERE = { TEMPORAL_ADDRESS: '127.0.0.1:1' };

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

describe('a job file', () => {
  test('that is written by init is sound, has what was given, and is not written over', async () => {
    const name = join(folder, 'job.yaml');
    const given = ['--image', 'golem/blender:latest', '--budget', '2.5', '--task', 'echo "a: b" # c'];
    const run = await runCli(['init', name, '--yes', ...given]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(`golem-temporal start ${name} --watch`);
    const spec = readYaml(await readFile(name, 'utf8')).value;
    expect(spec).toMatchObject({
      ...{ version: 1, image: 'golem/blender:latest', tasks: ['echo "a: b" # c'] },
      budget: { amount: '2.5', network: 'holesky' },
    });
    expect(parseJobSpec(spec)).toMatchObject({ ok: true });
    expect(await runCli(['validate', name])).toMatchObject({
      code: 0,
      stdout: `${name} is a sound job spec\n`,
    });
    expect(await runCli(['init', name, '--yes'])).toMatchObject({
      ...{
        code: 2,
        stderr: expect.stringMatching(/it is there already: give another name, or --force\n$/) as string,
      },
    });
    expect(await runCli(['init', name, '--yes', '--force', '--budget', 'much'])).toMatchObject({
      ...{ code: 2, stdout: '', stderr: expect.stringContaining('budget.amount: must be') as string },
    });
    expect(await runCli(['init', join(folder, 'asked.yaml')])).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('nobody is there to answer') as string },
    });
  });

  // A terminal of its own, as util-linux has it.
  const testOnTerminal = existsSync('/usr/bin/script') ? test : test.skip;
  testOnTerminal('is asked for where a terminal is, and a wrong answer is asked again', async () => {
    const name = join(folder, 'asked.yaml');
    const child = spawn(
      '/usr/bin/script',
      ['-qec', `'${process.execPath}' '${CLI}' init '${name}'`, '/dev/null'],
      {
        env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
      },
    );
    let shown = '';
    const asked = async (question: string): Promise<void> => {
      while (!shown.includes(question)) await once(child.stdout, 'data');
      shown = '';
    };
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const closed = once(child, 'close');
    await asked('Image of the VMs');
    child.stdin.write('no image\r');
    await asked('image: ');
    child.stdin.write(`${'\u007f'.repeat('no image'.length)}\r`);
    await asked('What to run');
    child.stdin.write('echo asked\r');
    await asked('The most that it may cost');
    child.stdin.write('3\r');
    await asked('Payment network');
    expect(shown).not.toContain('\u001b[3');
    child.stdin.write('\r');
    expect(await closed).toEqual([0, null]);
    expect(readYaml(await readFile(name, 'utf8')).value).toMatchObject({
      ...{ image: 'golem/alpine:latest', tasks: ['echo asked'], budget: { amount: '3', network: 'holesky' } },
    });
  });

  test('has every mistake told, with its line, in YAML as in JSON with comments', async () => {
    const yaml = await file(
      'bad.yaml',
      'image: golem/alpine:latest # fine\nbudget: 1\ntasks:\n  - echo\n  - name: two\n    comands: [a]\n',
    );
    expect(await runCli(['validate', yaml])).toEqual({
      ...{ code: 2, stdout: '', stderr: expect.stringMatching(LINES) as string },
    });
    const json = await file(
      'bad.json',
      '{ // a job\n  "image": "golem/alpine:latest",\n  "budget": "1", "tasks": [3],\n}',
    );
    const told = JSON.parse((await runCli(['validate', json, '--json'])).stdout) as unknown;
    expect(told).toMatchObject({ valid: false, problems: [{ path: 'tasks[0]', line: 3, column: 28 }] });
    // The same on the way to a worker.
    expect(await runCli(['start', yaml], { env: NOWHERE })).toMatchObject({
      ...{ code: 2, stderr: expect.stringMatching(/InvalidJobSpec:\n\S*bad\.yaml:2:1: budget/) as string },
    });
  });

  test.each([
    [
      'image: x\ntasks:\n\t- echo\n',
      'is not YAML, nor JSON: line 3, column 1: YAML is indented by spaces: replace the tab',
    ],
    [
      'a: b: c\n',
      'is not YAML, nor JSON: line 1, column 4: nested mappings are not allowed in compact mappings',
    ],
    ['{ "image": ', 'is not JSON: line 1, column 12: value expected'],
    ['just text\n', 'is not a job spec: it must hold one object, in YAML or JSON'],
    ['\u0000\u0001PNG', 'is not a job spec: it must hold one object, in YAML or JSON'],
    [
      'a: &a [*a, *a]\n',
      'is not YAML, nor JSON: line 1, column 1: it refers to itself, or to its parts too often',
    ],
    [
      'a: 1\n---\nb: 2\n',
      'is not YAML, nor JSON: line 2, column 1: it holds several documents, and only one can be taken',
    ],
  ])('that is none is refused in one line: %j', async (content, complaint) => {
    const name = await file('none.yaml', content);
    await expect(readSpecFile(name)).rejects.toMatchObject({ exitCode: 2, message: `${name} ${complaint}` });
  });

  test('with tabs is refused by the command in that line', async () => {
    const run = await runCli(['start', '-'], { env: NOWHERE, input: 'image: x\ntasks:\n\t- echo\n' });
    const line =
      'standard input is not YAML, nor JSON: line 3, column 1: YAML is indented by spaces: replace the tab';
    expect(run).toEqual({ code: 2, stdout: '', stderr: `golem-temporal: ${line}\n` });
  });

  test('for a newer version is refused in one line that says what to do', async () => {
    const input = JSON.stringify({ version: 2, image: 'golem/alpine:latest', fleets: [] });
    const runs = await Promise.all(
      ['start', 'rent', 'estimate'].map((command) => runCli([command, '-'], { env: NOWHERE, input })),
    );
    for (const run of runs)
      expect(run).toEqual({
        ...{ code: 2, stdout: '' },
        stderr:
          'golem-temporal: standard input:1:2: version: is 2: this golem-temporal knows specs of version 1; ' +
          'use a newer golem-temporal, here and for the worker\n',
      });
  });

  test('of a job is not taken for a rental', async () => {
    const name = await file('tasks.yaml', 'image: golem/alpine:latest\nbudget: "1"\ntasks: [echo]\n');
    expect(await runCli(['rent', name], { env: NOWHERE })).toEqual({
      ...{ code: 2, stdout: '' },
      stderr: `golem-temporal: ${name} has tasks, and a rental has none: golem-temporal start ${name} runs them; leave them out to rent a VM\n`,
    });
  });
});

const LINES =
  /^golem-temporal: 3 mistakes in .*\n.*bad\.yaml:2:1: budget: is a JSON number.*\n.*bad\.yaml:5:5: tasks\[1\]\.commands: is missing.*\n.*bad\.yaml:6:5: tasks\[1\]\.comands: unknown key, did you mean "commands"\?\n$/;

describe('the command', () => {
  const program = makeProgram();
  const all = (command: Command, name: string): [string, Command][] => [
    [name, command],
    ...command.commands.flatMap((each) => all(each, `${name} ${each.name()}`)),
  ];
  const commands = all(program, 'golem-temporal').filter(([name]) => !name.endsWith('completion-server'));

  test('has an example of each command in its help', async () => {
    const names = commands.map(([name]) => name);
    expect(Object.keys(EXAMPLES).sort()).toEqual([...names].sort());
    for (const [name, lines] of Object.entries(EXAMPLES))
      for (const line of lines) expect(line).toContain(name);
    const help = await runCli(['events', '--help']);
    expect(help.stdout).toMatch(/\nExample:\n {2}golem-temporal events nightly --follow\n$/);
  });

  test('reads as JSON whatever it only reads', () => {
    const reading = ['watch', 'list', 'result', 'events', 'logs', 'costs', 'doctor', 'validate', 'estimate'];
    for (const name of [...reading, 'devnet effects', 'devnet open', 'devnet fault list'])
      expect([
        name,
        commands.find(([each]) => each === `golem-temporal ${name}`)?.[1].options.map(({ long }) => long),
      ]).toEqual([name, expect.arrayContaining(['--json'])]);
  });

  test('lists its exit codes in its help', async () => {
    const { stdout } = await runCli(['--help']);
    for (const [code, means] of EXIT_CODES)
      expect(stdout).toContain(`  ${String(code).padEnd(3)}  ${means}\n`);
  });

  test('shows the stack of an error with --verbose, below its one line', async () => {
    const loud = await runCli(['list', '--verbose'], { env: NOWHERE });
    expect(loud).toMatchObject({ code: 1, stdout: '' });
    expect(loud.stderr).toMatch(
      /^golem-temporal: no Temporal server answers at 127\.0\.0\.1:1: start one .*\n.*\n {4}at /,
    );
  });

  test('is completed by each shell: commands, options, and what an argument may be', async () => {
    const shells = ['bash', 'zsh', 'fish'];
    const scripts = await Promise.all(shells.map((shell) => runCli(['completion', shell])));
    for (const script of scripts) {
      expect(script).toMatchObject({ code: 0, stderr: '' });
      expect(script.stdout).toContain('golem-temporal completion-server');
    }
    expect(await runCli(['completion', 'csh'])).toMatchObject({ code: 2 });
    const names = (line: string): unknown => {
      const found = completions(program, line.split(' ').slice(1));
      return found === 'files' ? found : found.map(({ name }) => name);
    };
    expect(names('golem-temporal w')).toEqual(['watch', 'worker']);
    expect(names('golem-temporal devnet fault l')).toEqual(['list']);
    expect(names('golem-temporal list --r')).toEqual(['--running']);
    expect(names('golem-temporal exec vm --on-uncertain ')).toEqual(['fail', 'rerun', 'freshVm']);
    expect(names('golem-temporal completion ')).toEqual(['bash', 'zsh', 'fish']);
    expect(names('golem-temporal start jo')).toBe('files');
    expect(names('golem-temporal exec vm -- ls ')).toBe('files');
    // As bash asks it.
    const script = scripts[0]!.stdout.replaceAll(
      /golem-temporal completion-server/g,
      `'${process.execPath}' '${CLI}' completion-server`,
    );
    const asked =
      `${script}\nCOMP_WORDS=(golem-temporal w); COMP_CWORD=1; COMP_LINE='golem-temporal w'; COMP_POINT=16; ` +
      `_golem-temporal_completion; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const bash = spawn('bash', ['-c', asked], { stdio: ['ignore', 'pipe', 'inherit'] });
    let replied = '';
    bash.stdout.on('data', (chunk: Buffer) => (replied += chunk.toString()));
    await once(bash, 'close');
    expect(replied).toBe('watch\nworker\n');
  });

  test('ends with npx, also when that is ended by its pid and tells nothing', async () => {
    // As npm does it: a shell, and the command below it.
    const line = `'${process.execPath}' '${CLI}' devnet --port 0 --data '${join(folder, 'devnet')}'; true`;
    const npm = spawn('sh', ['-c', line], {
      env: { ...process.env, npm_command: 'exec' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(npm.stdout, 'data');
    const released = once(npm.stdout, 'close');
    npm.kill('SIGTERM');
    // Held open by the devnet until its end.
    await released;
  });
});
