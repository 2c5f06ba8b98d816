/** Maps a function over many inputs on Golem. The function is a shell script that gets one input as `$1`. */
import { executeGolemJob, type JobProgress, type TaskResult } from 'golem-temporal/workflow-helpers';

export interface MapOptions {
  image: string;
  /** GLM for the whole of it, a decimal string. */
  budget: string;
  /** Inputs in one task. One that takes about a minute keeps the cost of a task small. Default 50. */
  chunk?: number;
  /** Most providers at a time. Default 5. */
  providers?: number;
  onProgress?: (progress: JobProgress) => void;
}

/** Output of one input, without the newline at its end; or why there is none. */
export type Mapped = { input: string; output: string } | { input: string; failure: string };

/**
 * A job has at most 500 tasks in its spec, and each costs a few seconds beside its work: so a task takes a chunk of the
 * inputs. For more than some ten thousand inputs give the job its tasks in a file (`tasks.from`, `resultsTo`).
 *
 * @returns one for each input, in their order. A chunk that failed on all its attempts fails its inputs, and no others.
 */
export async function mapOnGolem(script: string, inputs: string[], options: MapOptions): Promise<Mapped[]> {
  const { image, budget, chunk = 50, providers = 5, onProgress } = options;
  const chunks: string[][] = [];
  for (let at = 0; at < inputs.length; at += chunk) chunks.push(inputs.slice(at, at + chunk));
  // Inputs are arguments and no text of the script, so that nothing in them needs quoting.
  const each = `set -e; f() {\n${script}\n}; for input; do f "$input"; printf '\\036'; done`;
  const spec = {
    ...{ image, budget, providers: { max: providers } },
    tasks: chunks.map((args) => ({ commands: [{ run: '/bin/sh', args: ['-c', each, 'map', ...args] }] })),
  };
  const { tasks } = await executeGolemJob(spec, { onProgress });
  return chunks.flatMap((args, n) => outputsOf(tasks[n], args));
}

/** After each input's output stands a record separator. */
function outputsOf(task: TaskResult | undefined, inputs: string[]): Mapped[] {
  const outputs = (task?.results[0]?.stdout ?? '').split('\x1e');
  const failure =
    task?.state !== 'done'
      ? (task?.failure?.message ?? 'the job ended before')
      : outputs.length <= inputs.length &&
        'the output was cut: take smaller chunks, or raise outputLimitBytes';
  return inputs.map((input, i) =>
    failure ? { input, failure } : { input, output: (outputs[i] ?? '').replace(/\n$/, '') },
  );
}
