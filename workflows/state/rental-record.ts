/**
 * All that a rental knows of itself, as plain data: what goes along when it continues as new. Why it is to end is not
 * in it, since a rental that is to end goes on no more.
 */
import type { ResolvedAttach, SignedAgreement } from '../../activities/contract';
import { carryEvents, emptyEventLog, resumeEvents, type EventLog } from '../../model/events';
import type { BatchId, GolemActivityId, Timestamp } from '../../model/ids';
import type { RentalProgress } from '../../model/result';
import { fitOutputs, jsonSize, PAYLOAD_JSON } from '../../model/result-size';
import type { Assignment, AttachInput, RentalInput, RentalTerms, ScriptOutcome } from '../protocol';
import { newGrants, type Grants } from './grants';
import type { Parts } from './script-parts';

/** A script that runs in the VM, a task's or one from outside. */
export interface RunningScript extends Pick<Assignment, 'id' | 'task' | 'timeoutSec' | 'scriptId'> {
  batchId: BatchId;
  /** Absent for one that was sent before the VM was taken over. */
  commandCount?: number;
  startedAt: Timestamp;
  /** ms since the epoch. */
  deadlineMs: number;
  /** Of a script that may go on in another part: what it is. */
  inParts?: Assignment & { parts: Parts };
}

/** A script that came by Update. */
export interface OutsideScript {
  scriptId: string;
  /** It has a batch id, which is in the rental's record. */
  sent: boolean;
  outcome?: ScriptOutcome;
}

/** A VM beside the first one, and the scripts for it. */
export interface NamedVm {
  name: string;
  /** While it is there. */
  activityId?: GolemActivityId;
  /** Why it is not there any more; scripts then ask for a fresh one, or are told. */
  gone?: string;
  queue: Assignment[];
  running?: RunningScript;
}

export interface RentalRecord {
  terms: RentalTerms;
  signed?: Omit<SignedAgreement, 'events'>;
  /** First run of the settlement that was started for it, where it attached and none was there. */
  settlementRunId?: string;
  /** The VM that came up last. */
  vm?: GolemActivityId;
  /** Golem activities that were ended under the agreement, or buried. */
  ended: GolemActivityId[];
  /** Golem activities that were there before the VM was taken over: none of them is its own. */
  others: GolemActivityId[];
  deaths: number;
  queue: Assignment[];
  named: NamedVm[];
  /** Ids of the newest assignments: a repeat of one is known by it. */
  known: string[];
  running?: RunningScript;
  /** Scripts that were sent before the VM was taken over, and are not looked at yet. */
  inherited: BatchId[];
  /** How many came from outside: they are numbered. */
  taken: number;
  /** Those of them that are asked for, the oldest first. */
  outside: OutsideScript[];
  /** Ids of others, the oldest first: their outcomes are kept no more, and a repeat of one is still known. */
  forgotten: string[];
  progress: RentalProgress;
  /** Of the newest word to the job. */
  seq: number;
  everReady: boolean;
  /** The outcome of a task told the job already why the VM is lost. */
  told: boolean;
  setupFailed: boolean;
  /** A request of it may still take effect. */
  retried: boolean;
  log: EventLog;
  /** Who controls it; absent where everybody does. */
  grants?: Grants;
}

/** Assignments come one at a time, and a repeat of one soon. */
const KNOWN = 100;
/** Whoever repeats a script may have been away for long. */
const FORGOTTEN = 1000;
/** Kept of each output where no job says how much; a job's default is the same. */
const OUTPUT_LIMIT_BYTES = 65_536;
/** More of the events can be read from the run before. */
const EVENTS_JSON = 200_000;
/** Beyond this, the scripts that wait are run first. */
const QUEUE_JSON = 150_000;

export function newRentalRecord(input: RentalInput, workflowId: string): RentalRecord {
  const { job, n, proposal, setup, outputLimitBytes, interactive, vmsAtOnce, control, first } = input;
  const { provider } = proposal;
  const ofJob = { job, n, provider, setup, outputLimitBytes, interactive, vmsAtOnce, control };
  const record = emptyRecord(ofJob, workflowId);
  if (first) Object.assign(record, { queue: [first], known: [first.id] });
  return record;
}

/** Of a rental that takes over a VM that runs. */
export function attachedRecord(
  { attach, control }: Pick<AttachInput, 'attach' | 'control'>,
  found: ResolvedAttach,
  workflowId: string,
): RentalRecord {
  const { job, provider, agreementId, approvedAt, validToMs, terms, batchIds, note } = found;
  const siblings = found.siblings.length > 0 ? found.siblings : undefined;
  const { activityId } = attach;
  const endsAt = new Date(validToMs).toISOString();
  const base = {
    control: control ?? undefined,
    setup: [],
    outputLimitBytes: OUTPUT_LIMIT_BYTES,
    interactive: true,
    isAttached: true,
  };
  const record = emptyRecord({ job, n: 0, provider, ...base }, workflowId);
  return {
    ...record,
    ...{ vm: activityId, everReady: true, inherited: batchIds, others: found.others },
    signed: { agreementId, approvedAt, validToMs, terms, retried: false },
    outside: batchIds.map((scriptId) => ({ scriptId, sent: true })),
    progress: { ...record.progress, state: 'ready', agreementId, activityId, terms, endsAt, siblings, note },
  };
}

/** Of a rental that a run before has taken this far. */
export function carriedRecord(carried: RentalRecord): RentalRecord {
  // A run of an earlier version has carried no such lists.
  const { named = [], forgotten = [], inherited = [], others = [] } = carried;
  return { ...carried, named, forgotten, inherited, others, log: resumeEvents(carried.log) };
}

function emptyRecord(terms: RentalTerms, workflowId: string): RentalRecord {
  const { n, provider, control } = terms;
  return {
    terms,
    ...{ ended: [], others: [], deaths: 0, queue: [], known: [], inherited: [] },
    ...{ named: [], taken: 0, outside: [], forgotten: [], seq: 0, log: emptyEventLog() },
    ...{ everReady: false, told: false, setupFailed: false, retried: false },
    progress: { n, workflowId, provider, state: 'signing', tasksDone: 0 },
    ...(control === undefined ? {} : { grants: newGrants(control.owner) }),
  };
}

/** The next of the inherited scripts is followed now, to the end of the agreement if need be. */
export function followInherited(record: RentalRecord, nowMs: number): void {
  const batchId = record.inherited.shift();
  if (batchId === undefined || !record.signed) return;
  const { validToMs: deadlineMs } = record.signed;
  const timeoutSec = Math.max(0, Math.round((deadlineMs - nowMs) / 1000));
  const startedAt = new Date(nowMs).toISOString();
  record.running = { id: batchId, task: batchId, batchId, timeoutSec, startedAt, deadlineMs };
  Object.assign(record.progress, { state: 'busy', currentTask: batchId, currentBatch: batchId });
}

/** Of the first VM, or of the one of that name. */
export function queueOf(record: Pick<RentalRecord, 'queue' | 'named'>, name?: string): Assignment[] {
  if (name === undefined) return record.queue;
  const known = record.named.find((vm) => vm.name === name);
  if (known) return known.queue;
  const vm: NamedVm = { name, queue: [] };
  // Of a name that was asked for in vain nothing is kept: anybody may invent any number of them.
  record.named = [...record.named.filter((each) => !isUnused(each)), vm];
  return vm.queue;
}

const isUnused = ({ activityId, gone, queue, running }: NamedVm): boolean =>
  activityId === undefined && gone === undefined && running === undefined && queue.length === 0;

/** As progress shows them; undefined where there are none. */
export function namedVms({ named }: RentalRecord): RentalProgress['vms'] {
  if (named.length === 0) return undefined;
  return named.map(({ name, activityId, running }) => ({
    ...{ name, activityId, currentTask: running?.task, currentBatch: running?.batchId },
  }));
}

/** @returns false for an assignment that was known before */
export function learn(record: RentalRecord, id: string): boolean {
  if (record.known.includes(id)) return false;
  record.known = [...record.known, id].slice(-KNOWN);
  return true;
}

/** Leaves scripts from outside out of the record, but for their ids. */
export function forget<T extends Pick<RentalRecord, 'outside' | 'forgotten'>>(
  record: T,
  scripts: readonly OutsideScript[],
): T {
  const forgotten = [...record.forgotten, ...scripts.map(({ scriptId }) => scriptId)].slice(-FORGOTTEN);
  return { ...record, forgotten, outside: record.outside.filter((each) => !scripts.includes(each)) };
}

/** False while too much waits to be carried. */
export const isCarriable = ({ queue, named, running }: RentalRecord): boolean =>
  JSON.stringify([queue, running?.inParts, ...named.map((vm) => [vm.queue, vm.running?.inParts])]).length <=
  QUEUE_JSON;

/**
 * Input of the next run. Where it would be too much, the oldest outcomes of scripts from outside are left out, as they
 * are in time anyway; the newest may be all that its user waits for, and is cut.
 */
export function nextInput<Input extends RentalInput | AttachInput>(
  input: Input,
  record: RentalRecord,
): Input {
  const log = carryEvents(record.log, EVENTS_JSON);
  // As if all were left out: the ids of those that are take some room.
  const carried = { ...forget(record, record.outside), outside: [], log };
  // Its terms are in the record.
  const next = { ...input, first: undefined, ...('setup' in input ? { setup: [] } : {}), carried };
  const outside = fitOutside(record.outside, PAYLOAD_JSON - jsonSize(next));
  const left = record.outside.filter(({ scriptId }) => !outside.some((each) => each.scriptId === scriptId));
  return { ...next, carried: { ...forget(record, left), outside, log } };
}

function fitOutside(scripts: readonly OutsideScript[], limit: number): OutsideScript[] {
  const kept: OutsideScript[] = [];
  let left = limit;
  let isNewest = true;
  for (const script of [...scripts].reverse()) {
    const fitting = isNewest && script.outcome ? cutToFit(script, left) : script;
    if (script.outcome) isNewest = false;
    const size = jsonSize(fitting) + 1;
    // One that is not over cannot be told of later if it is not kept.
    if (script.outcome && size > left) continue;
    left -= size;
    kept.unshift(fitting);
  }
  return kept;
}

function cutToFit(script: OutsideScript, limit: number): OutsideScript {
  const { outcome } = script;
  if (!outcome || jsonSize(script) < limit) return script;
  const bare = outcome.results.map((result) => ({ ...result, stdout: '', stderr: '' }));
  const frame = jsonSize({ ...script, outcome: { ...outcome, results: bare } });
  const results = fitOutputs(outcome.results, Math.max(0, limit - frame - 1));
  return { ...script, outcome: { ...outcome, results } };
}

/** What to do for more VMs than the job's spec allows. */
export const moreVms = (vmsAtOnce: number, isAttached = false): string =>
  isAttached
    ? 'this rental attached to a VM, and has that alone: leave the name of a VM out'
    : `this rental allows ${vmsAtOnce === 1 ? '1 VM' : `${vmsAtOnce} VMs`} at a time: rent it with vmsAtOnce ${vmsAtOnce + 1}`;
