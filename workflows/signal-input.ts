/**
 * Checks what comes by signal or Update. Anybody on the namespace may send one, and an error in a handler would hold its
 * workflow up for good; zod stays out of the workflow bundle.
 */
import { ApplicationFailure, log } from '@temporalio/workflow';
import { AMOUNT, readExact } from '../model/amount';
import { ATTACH, CONTROL_KEY, OPERATIONS, REFUSALS } from '../model/control';
import type {
  Assignment,
  AssignmentOutcome,
  CloseRequest,
  ControlRefusal,
  OwnerAttached,
  OwnerClosed,
  RentalUpdate,
  ReservationAnswer,
  ReservationRequest,
  SettlementUpdate,
} from './protocol';

type Check = (value: unknown) => boolean;

/** No reason of ours is longer, and an agreement carries it to the provider. */
const LONGEST_REASON = 2000;

/** It is taken along from run to run; Temporal's ids are no longer. */
const LONGEST_ID = 1000;
/** A rental has one agreement. */
const MOST_DETACHED = 100;

const text: Check = (value) => typeof value === 'string';
const id: Check = (value) => typeof value === 'string' && value.length <= LONGEST_ID;
const amount: Check = (value) => typeof value === 'string' && AMOUNT.test(value);
/** What comes of others' amounts may have more digits than one that users write. */
const sum: Check = (value) => typeof value === 'string' && readExact(value)?.isNegative() === false;
const flag: Check = (value) => typeof value === 'boolean';
const whole: Check = (value) => Number.isSafeInteger(value);
const list =
  (item: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(item);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value);
const oneOf =
  (...values: string[]): Check =>
  (value) =>
    typeof value === 'string' && values.includes(value);
const record =
  (fields: Record<string, Check>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));

const failure = record({ type: text, message: text });
const fault = record({
  kind: oneOf(
    ...['vmDied', 'silent', 'agreementEnded', 'resultsUntrue', 'resultsUnreadable', 'vmNotRenewed'],
  ),
  ...{ message: text, task: maybe(text) },
});

export const isAssignment = record({
  ...{ id: text, task: text, commands: list(record({})) },
  timeoutSec: (value) => typeof value === 'number' && value > 0 && value < Infinity,
  onUncertain: oneOf('freshVm', 'rerun', 'fail'),
}) as (value: unknown) => value is Assignment;

export const isRentalUpdate = record({
  ...{ rental: whole, seq: whole, agreementId: maybe(text), activityId: maybe(text), reason: maybe(text) },
  state: oneOf(
    'signing',
    'creating',
    'deploying',
    'ready',
    'busy',
    'closing',
    'closed',
    'failed',
    'detached',
  ),
  ...{ failure: maybe(failure), fault: maybe(fault), vmsDied: maybe(whole), terms: maybe(record({})) },
  isTerminated: maybe(flag),
}) as (value: unknown) => value is RentalUpdate;

export const isOutcome = record({
  ...{ rental: whole, id: text, task: text, results: list(record({})), reason: maybe(text) },
  state: oneOf('done', 'failed', 'lost', 'timedOut', 'uncertain', 'returned'),
  ...{
    activityId: maybe(text),
    batchId: maybe(text),
    earlierBatches: maybe(list(text)),
    checkpoints: maybe(whole),
    startedAt: text,
    finishedAt: text,
  },
  ...{ fault: maybe(fault), vmsDied: maybe(whole), isOvertaken: maybe(flag) },
  news: maybe(isRentalUpdate),
}) as (value: unknown) => value is AssignmentOutcome;

export const isSettlementUpdate = record({
  ...{ jobUuid: text, seq: whole, phase: text, allocationId: maybe(text) },
  money: record({ budget: sum, reserved: sum, accepted: sum, paid: sum, platform: text }),
  failure: maybe(record({ type: text, message: text, at: text })),
  refusedProviders: list(record({ provider: record({ id: text, name: text }), reason: text })),
  bills: record({ open: list(record({ agreementId: text, accepted: sum })), invoiced: list(text) }),
  reservations: list(record({ id: text, reserved: sum, budget: sum, failure: maybe(failure) })),
}) as (value: unknown) => value is SettlementUpdate;

export const isReservationRequest = record({
  ...{ id: text, kind: oneOf('topUp', 'reserve', 'check'), amount: maybe(amount), answerTo: maybe(text) },
}) as (value: unknown) => value is ReservationRequest;

const answer = record({ id: text, reserved: sum, budget: sum, failure: maybe(failure) });

export const isReservationAnswer = answer as (value: unknown) => value is ReservationAnswer;

export const isOwnerClosed = record({
  workflowId: text,
  clean: flag,
  detached: maybe((value) => list(id)(value) && (value as unknown[]).length <= MOST_DETACHED),
}) as (value: unknown) => value is OwnerClosed;

export const isOwnerAttached = record({ workflowId: id, agreementId: id, nonce: maybe(id) }) as (
  value: unknown,
) => value is OwnerAttached;

export const isControlRefusal = record({
  workflowId: id,
  operation: oneOf(ATTACH, ...Object.keys(OPERATIONS)),
  refusal: oneOf(...Object.keys(REFUSALS)),
  key: maybe((value) => typeof value === 'string' && CONTROL_KEY.test(value)),
}) as (value: unknown) => value is ControlRefusal;

const reason: Check = (value) => typeof value === 'string' && value.length <= LONGEST_REASON;

export const isCloseRequest = record({
  ...{ reason, code: maybe(reason), jobEnds: maybe(flag) },
}) as (value: unknown) => value is CloseRequest;

/** A handler that hears nothing of what is not as it should be, nor of what comes with it. */
export function sound<T>(
  name: string,
  isSound: (value: unknown) => value is T,
  handle: (value: T, ...more: T[]) => void | Promise<void>,
): (...values: unknown[]) => void | Promise<void> {
  return (...values) => {
    const [first, ...more] = values;
    if (isSound(first) && more.every(isSound)) return handle(first, ...more);
    log.warn(`a signal ${name} that is none of ours is left unheard`);
    return undefined;
  };
}

/** @throws InvalidJobSpec - it is neither nothing nor `{ reason?: text }` */
export function checkTerminate(request?: unknown): void {
  if (maybe(record({ reason: maybe(reason) }))(request)) return;
  const problem = `reason: expected a text of at most ${LONGEST_REASON} characters, in { reason }, or nothing`;
  throw ApplicationFailure.nonRetryable(problem, 'InvalidJobSpec', [problem]);
}

/** @throws InvalidJobSpec */
export function checkScriptResult(query: unknown): void {
  const waitSec: Check = (value) => typeof value === 'number' && Number.isFinite(value);
  if (record({ scriptId: text, waitSec: maybe(waitSec) })(query)) return;
  const problem = 'expected { scriptId, waitSec }: a text, and a number of seconds or nothing';
  throw ApplicationFailure.nonRetryable(problem, 'InvalidJobSpec', [problem]);
}
