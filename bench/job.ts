/** A job of ours, as the bench runs it. */
import type { BenchWorld } from './bench-world';
import type { Run } from './comparison';

const SPEC = { image: 'golem/alpine:latest', budget: '5' };

/** To everything settled. @param spec over the image and the budget */
export async function runJob({ golem }: BenchWorld, spec: object): Promise<Run & { jobId: string }> {
  const began = performance.now();
  const { jobId } = await golem.startJob({ ...SPEC, ...spec });
  const { tasks } = await golem.result(jobId);
  const resultMs = performance.now() - began;
  await golem.settled(jobId);
  const settledMs = performance.now() - began;
  return { jobId, resultMs, settledMs, printed: tasks.map(({ results }) => results[0]?.stdout) };
}
