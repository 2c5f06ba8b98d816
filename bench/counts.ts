/** What a job makes of Temporal's own currency: activities, for a task and a debit note more too, and events of history. */
import { activitiesToResult, byTask } from '../test/support/activities-to-result';
import { activitiesIn, runsOfJob } from '../test/support/runs';
import { START_PRICE, type BenchWorld } from './bench-world';
import { checked } from './comparison';
import { runJob } from './job';
import type { Row } from './row';
import { inWorld, type Setting } from './setting';

const FURTHER = 10;

export async function counts(setting: Setting): Promise<Row[]> {
  // The provider sends as many notes as it may.
  const chatty = { debitNoteIntervalSec: 1, minDebitNoteIntervalSec: 1 };
  return await inWorld(setting, { latency: 'none', providers: 1, provider: chatty }, (world) =>
    measure(world, setting.quick ? 4 : 20),
  );
}

/** @param sec that the job with debit notes lasts */
async function measure(world: BenchWorld, sec: number): Promise<Row[]> {
  const each = (measure: string, ours: number, atMost?: number, note?: string): Row => ({
    ...{ measure, unit: 'each', ours: [ours], note },
    ...(atMost !== undefined && { toReach: { atMost } }),
  });
  const one = await job(world, ['echo done']);
  const many = await job(
    world,
    Array.from({ length: 1 + FURTHER }, () => 'echo done'),
  );
  const toResult = await activitiesToResult(world, one);
  const further = byTask(await activitiesToResult(world, many)).length - byTask(toResult).length;

  const seq = await world.now();
  const noted = await job(world, [`sleep ${sec}; echo done`]);
  const notes = (await world.effects(seq, ['debit-note-accepted'])).length;
  if (notes < sec / 2) throw new Error(`${notes} debit notes were accepted in ${sec} s`);
  const [plain, withNotes] = [await total(world, one), await total(world, noted)];
  return [
    each('activities of a one-task job, to its result', toResult.length, 12),
    each('activities of each further task', further / FURTHER, 2, `Of ${FURTHER} more on one provider.`),
    each(
      'activities of each debit note',
      (withNotes.ofBills - plain.ofBills) / notes,
      2,
      `What the settlement of a job with ${notes} of them watches and decides more than that of one without.`,
    ),
    each(
      'events of history of a one-task job, to all settled',
      plain.events,
      undefined,
      `Of the job, its settlement and its rental together; ${plain.activities} activities.`,
    ),
  ];
}

/** That debit notes come as often as they may. */
const demand = {
  expirationSec: 3600,
  debitNotesAcceptanceTimeoutSec: 60,
  midAgreementDebitNoteIntervalSec: 1,
};

async function job(world: BenchWorld, tasks: string[]): Promise<string> {
  const due = { printed: tasks.map(() => 'done\n'), pays: START_PRICE };
  const work = () => runJob(world, { providers: { max: 1 }, demand, tasks });
  return (await checked(world, 'ours', due, work)).jobId;
}

/** Of all its workflows. */
async function total(
  world: BenchWorld,
  jobId: string,
): Promise<{ activities: number; ofBills: number; events: number }> {
  const runs = (await runsOfJob(world, jobId)).map(({ history }) => history);
  const counts = activitiesIn(runs);
  const activities = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const ofBills = (counts.golemWatchSettlement ?? 0) + (counts.golemDecideDocument ?? 0);
  return { activities, ofBills, events: runs.reduce((sum, { events }) => sum + events.length, 0) };
}
