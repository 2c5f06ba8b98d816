/** Random jobs, as plain data: what the tasks do, how they hang together, what was agreed about money. */
import * as fc from 'fast-check';

/**
 * `echo` ends at once, `sleep` takes a while, `file` leaves a file in its VM for those that share it, `output` says a
 * lot, `failsAtFirst` fails once in all, `fails` always.
 */
export type TaskKind = 'echo' | 'sleep' | 'file' | 'output' | 'failsAtFirst' | 'fails';

export interface TaskPlan {
  name: string;
  kind: TaskKind;
  /** Tasks with the same one share a VM. */
  vm?: string;
  /** Of a `sleep`. */
  sec: number;
  timeoutSec: number;
  maxAttempts: number;
  onUncertain: 'freshVm' | 'rerun' | 'fail';
}

export interface JobPlan {
  tasks: TaskPlan[];
  setup: 'none' | 'works' | 'failsAtFirst';
  budget: string;
  /** The budget is raised by itself, up to so much, when it is low. */
  budgetMax?: string;
  /** Seconds between debit notes; none: only a last one. */
  debitNoteIntervalSec?: number;
  /** Seconds in which payable notes are paid; none: no note is payable. */
  paymentTimeoutSec?: number;
  maxProviders: number;
  select: 'cheapest' | 'fastest';
  toleranceSec: number;
}

const task = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant<TaskKind>('echo') },
    { weight: 5, arbitrary: fc.constant<TaskKind>('sleep') },
    { weight: 2, arbitrary: fc.constant<TaskKind>('file') },
    { weight: 1, arbitrary: fc.constant<TaskKind>('output') },
    { weight: 2, arbitrary: fc.constant<TaskKind>('failsAtFirst') },
    { weight: 1, arbitrary: fc.constant<TaskKind>('fails') },
  ),
  vm: fc.option(fc.constantFrom('a', 'b'), { nil: undefined, freq: 2 }),
  sec: fc.constantFrom(0.2, 0.5, 1, 2, 3),
  timeoutSec: fc.constantFrom(10, 15, 30),
  maxAttempts: fc.constantFrom(1, 2, 3, 3, 5),
  onUncertain: fc.constantFrom('freshVm' as const, 'rerun' as const, 'fail' as const),
});

/** Debit notes, and payments of them, only where they were agreed. */
const money = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.constant({ debitNoteIntervalSec: 1 }) },
  {
    weight: 1,
    arbitrary: fc.record({
      debitNoteIntervalSec: fc.constant(1),
      paymentTimeoutSec: fc.constantFrom(5, 10, 20),
    }),
  },
);

export const jobArbitrary: fc.Arbitrary<JobPlan> = fc
  .record({
    tasks: fc.array(task, { minLength: 1, maxLength: 6, size: 'max' }),
    setup: fc.constantFrom('none' as const, 'works' as const, 'works' as const, 'failsAtFirst' as const),
    budget: fc.oneof(
      { weight: 8, arbitrary: fc.record({ budget: fc.constantFrom('1', '20') }) },
      { weight: 1, arbitrary: fc.record({ budget: fc.constantFrom('0.0005', '0.002') }) },
      {
        weight: 2,
        arbitrary: fc.record({
          budget: fc.constantFrom('0.0005', '0.002'),
          budgetMax: fc.constantFrom('0.004', '1'),
        }),
      },
    ),
    money,
    maxProviders: fc.integer({ min: 1, max: 4 }),
    select: fc.constantFrom('cheapest' as const, 'cheapest' as const, 'fastest' as const),
    toleranceSec: fc.constantFrom(3, 10),
  })
  .map(({ tasks, money: agreed, budget, ...job }) => ({
    tasks: tasks.map((each, index) => ({ name: `t${index + 1}`, ...each })),
    ...job,
    ...budget,
    ...agreed,
  }));
