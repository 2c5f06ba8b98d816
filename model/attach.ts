/**
 * Attaching to a Golem activity that already runs, and detaching from one: what is asked for, and what is answered.
 * GAP-17, the "Offline Requestor Model".
 */
import { AMOUNT } from './amount';
import { CONTROL_KEY } from './control';
import type { AgreementId, Amount, BatchId, GolemActivityId, Timestamp } from './ids';

export interface AttachSpec {
  activityId: GolemActivityId;
  /** Scripts that were sent before and whose results are wanted: yagna lists none. Default: what our own history tells. */
  batchIds?: BatchId[];
  /**
   * GLM that may be spent for it in all, what was accepted before included. A settlement of ours that pays for it already has
   * its budget raised to that, never lowered. Default: that settlement's budget; where there is none, what the agreement can
   * cost until its end at full load.
   */
  budget?: Amount;
}

export interface DetachedVm {
  name: string;
  activityId: GolemActivityId;
  batchId?: BatchId;
}

/** Answer of the Update `detach`. */
export interface Detached {
  agreementId: AgreementId;
  activityId: GolemActivityId;
  /** Of the script that goes on in the VM, if one does. */
  batchId?: BatchId;
  /** VMs beside it under the agreement, by their names, each with the script that goes on there. */
  vms?: DetachedVm[];
  /** When the agreement ends, if nobody ends it before. */
  validTo: Timestamp;
  /** Workflow that pays until then. */
  settlementId: string;
  /** What happens if nobody comes back, a line each. */
  says: string[];
}

/** The workflow id of the rental that attaches: Temporal lets only one of that id run at a time. */
export const attachId = (activityId: GolemActivityId): string => `${ATTACH_PREFIX}${activityId}`;
export const ATTACH_PREFIX = 'golem-attach-';

/** How a VM that was left alive is taken over again. */
export const attachCommand = (activityId: GolemActivityId, hasOwner: boolean): string =>
  `golem-temporal attach ${activityId}${hasOwner ? ' --key FILE' : ''}`;

/** For whoever meets a rental that has left its VM alive. */
export const detachedMessage = (activityId: GolemActivityId, hasOwner: boolean): string =>
  `the rental was detached, and its VM lives on: ${attachCommand(activityId, hasOwner)}`;

/** Job id of a settlement that pays for an agreement which is of no job of ours. */
export const foreignJobId = (agreementId: AgreementId): string => `golem-agreement-${agreementId}`;

/** yagna's are 32 hex digits; whatever it is, it goes into paths and workflow ids. */
const ID = /^[A-Za-z0-9_-]{1,130}$/;
const MOST_BATCHES = 100;
const FIELDS = ['activityId', 'batchIds', 'budget'];

/** Everything that is wrong with what a rental was asked to attach to, with its path. */
export function attachProblems(input: unknown): string[] {
  const { attach, connection, control } = Object(input) as Record<string, unknown>;
  if (typeof attach !== 'object' || attach === null) {
    return ['attach: expected { activityId, batchIds?, budget? }'];
  }
  const { activityId, batchIds, budget } = attach as Record<string, unknown>;
  const problems: string[] = [];
  if (!isId(activityId)) problems.push(`attach.activityId: ${NO_ID}`);
  if (given(batchIds) && !(Array.isArray(batchIds) && batchIds.length <= MOST_BATCHES)) {
    problems.push(`attach.batchIds: expected a list of at most ${MOST_BATCHES} batch ids`);
  } else if (Array.isArray(batchIds)) {
    batchIds.forEach((id, i) => {
      if (!isId(id)) problems.push(`attach.batchIds[${i}]: ${NO_ID}`);
    });
  }
  if (given(budget) && !(typeof budget === 'string' && AMOUNT.test(budget) && /[1-9]/.test(budget))) {
    problems.push('attach.budget: expected GLM as a decimal string above 0, such as "0.5"');
  }
  for (const field of Object.keys(attach)) {
    if (!FIELDS.includes(field)) problems.push(`attach.${field}: unknown; expected ${FIELDS.join(', ')}`);
  }
  if (given(connection) && (typeof connection !== 'string' || connection === '')) {
    problems.push('connection: expected the name of a connection of the worker');
  }
  const { owner } = Object(control) as { owner?: unknown };
  if (given(control) && !(typeof owner === 'string' && CONTROL_KEY.test(owner))) {
    problems.push('control.owner: expected an Ed25519 public key, 43 characters of base64url');
  }
  return problems;
}

const NO_ID = 'expected an id of yagna: letters, digits, - and _, at most 130';

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** A field that is null is as if it were not there: some languages write it so. */
function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}
