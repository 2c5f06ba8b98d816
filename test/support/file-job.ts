/** A job whose tasks are the lines of a file on a test's web server, where its results go, too. */
import { NoAnswerError } from '../../client/errors';
import type { JobProgress, JobResult, TaskResult } from '../../model/result';
import { now } from './proof';
import { runsOf, type Run } from './runs';
import type { WebServer } from './web-server';
import type { World } from './world';

let files = 0;
export class FileJob {
  readonly name = `job-${++files}`;
  jobId = '';
  began = 0;

  constructor(
    private readonly world: World,
    private readonly web: WebServer,
    lines: readonly unknown[],
  ) {
    this.write(lines.map((line) => JSON.stringify(line)));
  }

  write(lines: readonly string[]): void {
    this.web.files.set(`${this.name}.jsonl`, Buffer.from(lines.map((line) => `${line}\n`).join('')));
  }

  async start(more: object = {}): Promise<this> {
    this.began = await now(this.world);
    const { jobId } = await this.world.golem.startJob({
      ...{ image: 'golem/alpine:latest', budget: '10' },
      tasks: { from: `${this.web.fileUrl(`${this.name}.jsonl`)}?key=secret` },
      resultsTo: `${this.web.fileUrl(`${this.name}-{part}.jsonl`)}?key=secret`,
      ...more,
    });
    this.jobId = jobId;
    return this;
  }

  result(): Promise<JobResult> {
    return this.world.golem.result(this.jobId);
  }

  /** A killed worker's task holds answers back for longer than a client waits for one. */
  async progressed(isSo: (progress: JobProgress) => boolean): Promise<JobProgress> {
    for (;;) {
      const progress = await this.world.golem.progress(this.jobId).catch((error: unknown) => {
        if (error instanceof NoAnswerError) return undefined;
        throw error;
      });
      if (progress && isSo(progress)) return progress;
    }
  }

  parts(): string[] {
    return [...this.web.files.keys()].filter((name) => name.startsWith(`${this.name}-`)).sort();
  }

  /** In the order in which they were written. */
  written(): TaskResult[] {
    return this.parts().flatMap((part) =>
      String(this.web.files.get(part))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as TaskResult),
    );
  }

  async histories(): Promise<{ job: Run[]; all: Run[] }> {
    const job = await runsOf(this.world, this.jobId);
    const settlement = await runsOf(this.world, `${this.jobId}/settlement`);
    const { rentals } = await this.world.golem.progress(this.jobId);
    const all = [...job, ...settlement];
    for (const { workflowId } of rentals) all.push(...(await runsOf(this.world, workflowId)));
    return { job, all };
  }
}
