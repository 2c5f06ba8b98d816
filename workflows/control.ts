/**
 * Closes a workflow for everybody but its owner and those that hold a grant: its Updates are taken only when they are
 * signed. Signatures are verified in an activity; who may do what is decided in `state/grants.ts`.
 */
import {
  ApplicationFailure,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  CONTROL_KEY,
  PERMISSIONS,
  REFUSALS,
  type ControlKey,
  type Grant,
  type GrantRequest,
  type Operation,
  type Permission,
  type Refusal,
} from '../model/control';
import type { VerifiedControl } from '../activities/contract';
import type { NewEvent } from '../model/events';
import { verifying } from './activity-options';
import { namedFailure } from './failure-type';
import { beginCheck, endCheck, grant, revoke, take, whyTooLong, type Grants } from './state/grants';
import { refusalEvent } from './state/refusal-event';

/** Every Update of a closed workflow has it beside its own fields. */
export interface Authorized {
  /** JWS over a claim, see `model/control.ts`. */
  authorization?: string;
}

/** Passes control on to another key, fully or in part. */
export const grantUpdate = defineUpdate<void, [GrantRequest & Authorized]>('grant');
/** Takes back what a key was granted, and what it has passed on. */
export const revokeUpdate = defineUpdate<void, [{ key: ControlKey } & Authorized]>('revoke');

/** Where a workflow keeps them, to take them along when it continues as new. Absent where it is open to everybody. */
export interface KeepsGrants {
  grants?: Grants;
}

/** What an Update asks for, and the signature beside it. */
function apart(argument: unknown): { authorization?: unknown; args: unknown } {
  if (typeof argument !== 'object' || argument === null) return { args: argument ?? {} };
  const { authorization, ...args } = argument as Authorized;
  return { authorization, args };
}

export const unsigned = (argument: unknown): unknown => apart(argument).args;

export class Control {
  /** @param note takes the events of what is refused */
  constructor(
    private readonly kept: KeepsGrants,
    private readonly note: (events: NewEvent[]) => void,
  ) {
    setHandler(grantUpdate, (request) => this.grant(request), { validator: checkGrant });
    setHandler(revokeUpdate, (request) => this.revoke(request), { validator: checkRevoke });
  }

  /**
   * Lets an Update through, once.
   * @returns the key that signed; undefined where everybody may
   * @throws ControlRefused - nothing has happened, and an event tells of it; Timeout - no worker was there to check who
   * signed: the signature is used up
   */
  async guard(operation: Operation, argument: unknown): Promise<ControlKey | undefined> {
    const { grants } = this.kept;
    if (!grants) return undefined;
    const { authorization, args } = apart(argument);
    if (typeof authorization !== 'string') throw this.refused(operation, 'NoSignature');
    if (!beginCheck(grants, authorization)) throw this.refused(operation, 'Replayed');
    const signed = await this.verify(operation, args, authorization);
    endCheck(grants, authorization);
    const refusal = signed.claim ? take(grants, operation, signed, Date.now()) : signed.refusal;
    if (refusal) throw this.refused(operation, refusal, signed.key);
    return signed.key;
  }

  private async verify(operation: Operation, args: unknown, authorization: string): Promise<VerifiedControl> {
    const { workflowId: rental, firstExecutionRunId: run } = workflowInfo();
    try {
      return await verifying.golemVerifyControl({ rental, run, operation, args, authorization });
    } catch (error) {
      if (isCancellation(error)) throw error;
      const why = namedFailure(error);
      throw ApplicationFailure.nonRetryable(`its signature could not be checked: ${why.message}`, why.type);
    }
  }

  private async grant(request: GrantRequest & Authorized): Promise<void> {
    const by = await this.guard('grant', request);
    const { key, permissions, until } = request;
    const given: Grant = { key, permissions, untilMs: Date.parse(until), by: by ?? '' };
    const { grants } = this.kept;
    if (!grants) throw invalid([NO_OWNER]);
    const refusal = grant(grants, given, Date.now());
    if (refusal) throw this.refused('grant', refusal, by, whyTooLong(grants, given));
  }

  private async revoke(request: { key: ControlKey } & Authorized): Promise<void> {
    const by = await this.guard('revoke', request);
    const { grants } = this.kept;
    if (!grants || by === undefined) throw invalid([NO_OWNER]);
    const refusal = revoke(grants, request.key, by);
    // Nobody has tried what he may not.
    if (refusal === 'WrongKey') throw invalid([`${request.key} has no grant here: nothing to revoke`]);
    if (refusal) throw this.refused('revoke', refusal, by);
  }

  /** @param why - where it is known better than by the refusal's name */
  private refused(
    operation: Operation,
    refusal: Refusal,
    key?: ControlKey,
    why: string = REFUSALS[refusal],
  ): ApplicationFailure {
    const reason = `${operation}: ${why}`;
    const { workflowId } = workflowInfo();
    this.note([refusalEvent({ workflowId, operation, refusal, key }, reason)]);
    return ApplicationFailure.nonRetryable(reason, 'ControlRefused', refusal);
  }
}

const isKey = (value: unknown): boolean => typeof value === 'string' && CONTROL_KEY.test(value);

function checkGrant(request: unknown): void {
  const { key, permissions, until } = (request ?? {}) as Partial<Record<keyof GrantRequest, unknown>>;
  const problems: string[] = [];
  if (!isKey(key)) problems.push(NO_KEY);
  const isList = Array.isArray(permissions) && permissions.length > 0;
  if (!isList || !permissions.every((each) => PERMISSIONS.includes(each as Permission)))
    problems.push(`permissions: expected a list of ${PERMISSIONS.join(', ')}`);
  if (typeof until !== 'string' || Number.isNaN(Date.parse(until)))
    problems.push('until: expected a time such as 2030-01-31T12:00:00Z');
  else if (Date.parse(until) <= Date.now()) problems.push('until: is over already');
  refuseIf(problems);
}

function checkRevoke(request: unknown): void {
  refuseIf(isKey((request as { key?: unknown } | undefined)?.key) ? [] : [NO_KEY]);
}

const NO_KEY = 'key: expected an Ed25519 public key, 43 characters of base64url';
const NO_OWNER = 'it has no owner, so everybody may do everything: rent with --owner KEY to close it';

function refuseIf(problems: string[]): void {
  if (problems.length > 0) throw invalid(problems);
}

function invalid(problems: string[]): ApplicationFailure {
  return ApplicationFailure.nonRetryable(problems.join('\n'), 'InvalidJobSpec', problems);
}
