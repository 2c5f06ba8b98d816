/**
 * A job is broken at its crash points, and keeps its promises by the devnet's own record. Here a sample of them that has
 * each kind of fault, each workflow and each reference job; `npm run soak` takes them all, as `npm run chaos:matrix` does.
 */
import type { Row } from './chaos/armed';
import { CALL_MODES, notReached, TASK_MODE } from './chaos/crash-points';
import { describeRow, isCounted, labelOf, runMatrix, summarize } from './chaos/matrix';
import { runRow, scenarioOf } from './chaos/matrix-row';
import { WorldPool } from './chaos/world-pool';
import { requireBuild } from './support/cli';
import { temporalAddress } from './support/temporal';

const [KILLED_BEFORE, LOST_BEFORE, LOST_AFTER, LATE_BEFORE, LATE_AFTER, KILLED_AFTER] = CALL_MODES;

const at = (activity: string, call: string, mode: Row['mode'], scenario = 'reference'): Row => ({
  point: { scenario, activity, call },
  mode,
});
const time = (activity: string, n: number, mode: Row['mode'], scenario: string): Row => ({
  point: { scenario, activity, time: n },
  mode,
});
const task = (workflow: string, n: number): Row => ({
  point: { scenario: 'reference', workflow, task: n },
  mode: TASK_MODE,
});

/** The longest first: the others run meanwhile. */
const SAMPLE: Row[] = [
  time('golemWriteResults', 1, KILLED_AFTER, 'tasks from a file'),
  time('golemVerifyControl', 4, KILLED_AFTER, 'closed'),
  time('golemRunScript', 1, KILLED_AFTER, 'rented by a workflow'),
  at('golemScanMarket', 'subscribeDemand', KILLED_AFTER, 'inspected'),
  at('golemResolveAttach', 'getActivityAgreement', LOST_AFTER, 'detached and attached'),
  at('golemCreateVm', 'createActivity', KILLED_AFTER),
  at('golemCleanUp', 'terminateAgreement', KILLED_BEFORE, 'terminated'),
  task('', 7),
  task('/rental/1', 5),
  task('/settlement', 6),
  at('golemSendScript', 'exec of a task', LOST_AFTER),
  at('golemDecideDocument', 'rejectInvoice', LATE_AFTER, 'overcharged'),
  at('golemReserveAllocation', 'createAllocation', LATE_BEFORE),
  at('golemAmendAllocation', 'amendAllocation', LOST_AFTER, 'topped up'),
  at('golemFindOrphans', 'getDemands', LOST_AFTER, 'orphaned'),
  at('golemDestroyVm', 'destroyActivity', LOST_BEFORE, 'lost answer'),
  at('golemWatchRental', 'getAgreement', LOST_BEFORE, 'long task'),
];

/** Worlds that rows share. */
const WORLDS = 4;
const LONG = 300_000;

const isSoak = process.env.SOAK === '1';

if (isSoak) {
  test(
    'at every crash point a job keeps its promises',
    async () => {
      requireBuild();
      const result = await runMatrix({
        ...{ temporalAddress: temporalAddress(), parallel: WORLDS },
        onRow: (row) => process.stderr.write(`${describeRow(row)}\n`),
      });
      process.stderr.write(`${summarize(result).lines.join('\n')}\n`);
      const { rows, missing, broken } = result;
      expect([...missing, ...broken]).toEqual([]);
      const bad = rows.filter((row) => row.broken.length > 0);
      expect(bad.map((row) => [labelOf(row), row.broken])).toEqual([]);
      expect(rows.filter(isCounted).length).toBeGreaterThan(150);
    },
    3 * 3_600_000,
  );
} else {
  let pool: WorldPool;
  const begun: string[] = [];
  beforeAll(() => {
    requireBuild();
    pool = new WorldPool({ temporalAddress: temporalAddress() }, WORLDS);
  });
  afterAll(async () => {
    await pool?.close();
  });

  test.concurrent.each(SAMPLE.map((row): [string, Row] => [labelOf(row), row]))(
    '%s',
    async (_label, row) => {
      const result = await pool.use((world) => runRow(world, row, (activity) => begun.push(activity)), {
        isSpoilt: ({ broken }) => broken.length > 0,
        isHurried: scenarioOf(row.point).isHurried,
      });
      expect(result).toMatchObject({ broken: [], reached: true });
    },
    LONG,
  );

  test('the jobs that are broken come to every activity that a worker registers', () => {
    // That one is of jobs that continue as new, which take long: all of the points have one.
    expect(notReached(begun)).toEqual(['golemWatchWorkflows']);
  });
}
