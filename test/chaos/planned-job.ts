/** The job of a plan as it is started: its spec, and what must come out of it. */
import type { WebServer } from '../support/web-server';
import type { TaskEvidence } from './evidence';
import type { JobPlan, TaskPlan } from './job-arbitraries';
import { mayLackInvoice, type Plan } from './plan';

/** An invoice that does not come is not waited for any longer. */
const INVOICE_WAIT_SEC = 12;
const LINES = 20_000;

export interface PlannedJob {
  spec: object;
  tasks: TaskEvidence[];
}

export function plannedJob(plan: Plan, web: WebServer): PlannedJob {
  const { job } = plan;
  // By transfer, for a command of the setup that hangs would be waited for as long as the largest image takes.
  const fetch = (failures: number): object => ({
    transfer: { from: web.failsAtFirst(failures), to: '/golem/work/setup' },
  });
  const setup = { none: [], works: [fetch(0)], failsAtFirst: [fetch(1)] }[job.setup];
  return {
    spec: {
      image: 'golem/alpine:latest',
      budget:
        job.budgetMax === undefined ? job.budget : { amount: job.budget, onLow: 'topUp', max: job.budgetMax },
      demand: {
        ...(job.debitNoteIntervalSec === undefined
          ? {}
          : {
              midAgreementDebitNoteIntervalSec: job.debitNoteIntervalSec,
              debitNotesAcceptanceTimeoutSec: 60,
            }),
        ...(job.paymentTimeoutSec === undefined
          ? {}
          : { midAgreementPaymentTimeoutSec: job.paymentTimeoutSec }),
        offerFetchingIntervalSec: 1,
        proposalTimeoutSec: 2,
      },
      providers: { max: job.maxProviders, select: job.select },
      setup,
      tasks: job.tasks.map((task) => ({
        name: task.name,
        ...(task.vm === undefined ? {} : { vm: task.vm }),
        commands: commandsOf(task, job, web),
        timeoutSec: task.timeoutSec,
        maxAttempts: task.maxAttempts,
        onUncertain: task.onUncertain,
      })),
      ...(mayLackInvoice(plan) ? { invoiceWaitSec: INVOICE_WAIT_SEC } : {}),
      tolerance: { usageSec: job.toleranceSec },
    },
    tasks: job.tasks.map((task) => ({
      name: task.name,
      stdout: stdoutOf(task, job),
      onUncertain: task.onUncertain,
      vm: task.vm,
      ends: task.kind === 'fails' ? 'failed' : 'done',
    })),
  };
}

function commandsOf(task: TaskPlan, job: JobPlan, web: WebServer): (string | object)[] {
  const { name, kind, sec } = task;
  switch (kind) {
    case 'echo':
      return [`echo ${name}`];
    case 'sleep':
      return [`sleep ${sec}; echo ${name}`];
    case 'file':
      return [`cd /golem/output; echo ${name} > ${name}; cat ${filesFor(task, job).join(' ')}`];
    case 'output':
      return [`seq ${LINES}`, `echo ${name}`];
    case 'failsAtFirst':
      return [{ transfer: { from: web.failsAtFirst(3), to: `/golem/work/${name}` } }, `echo ${name}`];
    case 'fails':
      return [`echo ${name}; exit 7`];
  }
}

/** What earlier tasks in the same VM have left there, and its own. */
function filesFor(task: TaskPlan, job: JobPlan): string[] {
  const until = job.tasks.slice(0, job.tasks.indexOf(task) + 1);
  const mates = until.filter(
    ({ kind, vm, name }) => kind === 'file' && (name === task.name || (vm !== undefined && vm === task.vm)),
  );
  return mates.map(({ name }) => name);
}

function stdoutOf(task: TaskPlan, job: JobPlan): string {
  const lines = task.kind === 'file' ? filesFor(task, job) : [task.name];
  return lines.map((line) => `${line}\n`).join('');
}
