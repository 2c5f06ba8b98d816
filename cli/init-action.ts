/** What `golem-temporal init` does: asks, where somebody is there to answer, and writes the file. */
import { writeFile } from 'node:fs/promises';
import type Enquirer from 'enquirer';
import { fileProblem } from '../model/file-problem';
import { specProblems } from '../model/spec-anywhere';
import { CliError, EXIT_INTERRUPTED, usageError } from './failure';
import { jobFile, USUAL_ANSWERS, type JobAnswers } from './job-template';
import { shellWord } from './names';
import { readYaml } from './placed-text';

interface InitOptions extends Partial<JobAnswers> {
  yes?: boolean;
  force?: boolean;
}

export async function init(file: string, { yes, force, ...given }: InitOptions): Promise<void> {
  if (!/\.ya?ml$/i.test(file)) throw usageError(`${file}: it is written as YAML; name it job.yaml, say`);
  const usual = { ...USUAL_ANSWERS, ...networkOfWorker() };
  if (!yes && !process.stdin.isTTY)
    throw usageError('nobody is there to answer questions: give --yes, and what differs from the defaults');
  const answers: JobAnswers = { ...usual, ...given, ...(yes ? {} : await asked(usual, given)) };
  const content = jobFile(answers);
  const problems = specProblems(readYaml(content).value);
  if (problems.length > 0) throw usageError(problems.map(({ problem }) => problem).join('\n'));
  await writeFile(file, content, { flag: force ? 'w' : 'wx' }).catch((error: unknown) => {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = isThere ? 'it is there already: give another name, or --force' : fileProblem(error, 'write');
    throw usageError(`cannot write ${file}: ${why}`);
  });
  console.log(`${file} is written`);
  console.log(`golem-temporal start ${shellWord(file)} --watch    # or edit it first`);
}

/** As the worker reads it, which may well have the same environment. */
function networkOfWorker(): Partial<JobAnswers> {
  const { PAYMENT_NETWORK: network } = process.env;
  return network ? { network } : {};
}

const QUESTIONS: readonly { name: keyof JobAnswers; message: string }[] = [
  { name: 'image', message: 'Image of the VMs' },
  { name: 'task', message: 'What to run, a shell line' },
  { name: 'budget', message: 'The most that it may cost, GLM' },
  { name: 'network', message: 'Payment network' },
];

async function asked(usual: JobAnswers, given: Partial<JobAnswers>): Promise<Partial<JobAnswers>> {
  // Its colours know no NO_COLOR; this they know.
  if (process.env.NO_COLOR) process.env.FORCE_COLOR = '0';
  // What it has to give are getters, which an import would miss.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { prompt } = require('enquirer') as typeof Enquirer;
  const questions = QUESTIONS.filter(({ name }) => given[name] === undefined).map(({ name, message }) => ({
    ...{ type: 'input', name, message, initial: usual[name] },
    validate: (answer: string) => problemWith(name, answer) ?? true,
  }));
  // Ctrl-C rejects with nothing.
  return await prompt<Partial<JobAnswers>>(questions).catch(() => {
    throw new CliError('nothing is written', EXIT_INTERRUPTED);
  });
}

/** Told while it can still be mended. */
function problemWith(name: keyof JobAnswers, answer: string): string | undefined {
  const spec: unknown = readYaml(jobFile({ ...USUAL_ANSWERS, [name]: answer })).value;
  return specProblems(spec)[0]?.problem;
}
