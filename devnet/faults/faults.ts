/** Faults that are armed on the network: which request or provider step, the n-th time or by chance, and what happens then. */
import { z } from 'zod';
import { nearestKey } from '../../model/nearest-key';
import type { Effects } from '../effects';
import { unusedSettings } from './action-settings';
import { ArmedFault } from './armed-fault';
import { checkNames, type KnownNames } from './known-names';
import {
  CALL_ACTIONS,
  CALL_NAMES,
  happensToProvider,
  isAboutProvider,
  PROVIDER_STEPS,
  STEP_NAMES,
  type CallAction,
  type CallName,
  type ProviderStep,
  type StepAction,
} from './operations';
import {
  isPattern,
  matchesRequest,
  problemOf,
  type RequestLine,
  type RequestPattern,
} from './request-pattern';

const STEP_PREFIX = 'provider.';
const ANY_CALL = '*';
const ANY_REQUEST = '/*';
const NAMED = [...CALL_NAMES, ...STEP_NAMES.map((step) => `${STEP_PREFIX}${step}`)];
const OPERATIONS = [ANY_CALL, ...NAMED];

export const faultSchema = z
  .strictObject({
    /**
     * A call of the API such as `createAgreement`, `*` for any; a path such as `GET /registry/*`, with or without the
     * method, for every request to it; or a provider's step such as `provider.debitNote`.
     */
    on: z.string(),
    do: z.string(),
    /** Only at the node of this name. Default: all nodes. */
    node: z.string().optional(),
    /**
     * Only where it concerns the provider of this name. Default: all. What happens to a provider (`crash` …) happens to
     * this one where the call concerns none.
     */
    provider: z.string().optional(),
    /** The first match that it acts on. Default 1. */
    nth: z.number().int().min(1).default(1),
    /** Matches that it acts on, from then on; 0 for all. Default 1. */
    times: z.number().int().min(0).default(1),
    /** Chance of each match to be acted on. Default 1. */
    probability: z.number().min(0).max(1).default(1),
    /** Of the chances: the same seed makes the same choices. Default: any. */
    seed: z.number().int().min(0).max(0xffffffff).optional(),
    /** Seconds, of a delay, cut, freeze, crash or restart. Default: 1 for a delay, else until it is restored. */
    sec: z.number().min(0).optional(),
    /** Of an `answer`. Default 503. */
    status: z.number().int().min(200).max(599).optional(),
    /** Of an `answer`: text, or anything that goes as JSON. Default `{"message": "..."}`. */
    body: z.unknown().optional(),
    /** Why a provider refuses or fails. */
    message: z.string().optional(),
    /** Exit code of a command that fails. Default 1. */
    exitCode: z.number().int().min(1).max(255).optional(),
    /** Whether a refusal of the provider's is for good. Default false. */
    isFinal: z.boolean().optional(),
    /** By how much a bill, usage or price is too large, or a note too early; a million at most. Default 10. */
    factor: z.number().positive().max(1_000_000).optional(),
  })
  .superRefine((fault, context) => {
    const problem = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (isPattern(fault.on)) {
      const wrong = problemOf(fault.on);
      if (wrong !== undefined) return problem('on', wrong);
    } else if (!OPERATIONS.includes(fault.on)) {
      const near = nearestKey(fault.on, OPERATIONS);
      return problem('on', `there is no "${fault.on}"${near ? `; did you mean "${near}"?` : ''}`);
    }
    const allowed = actionsOn(fault.on);
    if (!allowed.includes(fault.do)) {
      return problem('do', `"${fault.do}" can't happen on ${fault.on}; what can: ${allowed.join(', ')}`);
    }
    for (const [setting, unused] of unusedSettings(fault)) problem(setting, unused);
    if (!(CALL_NAMES as readonly string[]).includes(fault.on) || isAboutProvider(fault.on)) return;
    const none = `${fault.on} is about no provider`;
    if (!happensToProvider(fault.do)) {
      if (fault.provider !== undefined) problem('provider', `${none}, so the fault would never act`);
    } else if (fault.provider === undefined && fault.do !== 'cut') {
      problem('provider', `${none}: say which one is to ${WHAT_HAPPENS[fault.do] ?? fault.do}`);
    }
  });

const WHAT_HAPPENS: Record<string, string> = { killVms: 'lose its VMs' };

/** A fault as it is armed. An action must be one that can happen where it is armed. */
export type FaultInput = Omit<z.input<typeof faultSchema>, 'on' | 'do'> &
  (
    | { on: typeof ANY_CALL | CallName | RequestPattern; do: CallAction }
    | {
        [Step in ProviderStep]: { on: `${typeof STEP_PREFIX}${Step}`; do: StepAction<Step> };
      }[ProviderStep]
  );
export type Fault = Omit<z.output<typeof faultSchema>, 'do'> & { do: CallAction | StepAction };

/** Everything a fault can be armed on, with what can happen there; `/*` stands for all the paths that it may be given. */
export function operations(): { on: string; actions: readonly string[] }[] {
  return [ANY_CALL, ANY_REQUEST, ...NAMED].map((on) => ({ on, actions: actionsOn(on) }));
}

/** What can happen on a call, request or step. */
export function actionsOn(on: string): readonly string[] {
  if (!on.startsWith(STEP_PREFIX)) return CALL_ACTIONS;
  return PROVIDER_STEPS[on.slice(STEP_PREFIX.length) as ProviderStep];
}

/** Where something is about to happen. */
export interface FaultPoint {
  /** The call or step; undefined for a request that is none of yagna's calls for requestors. */
  on: string | undefined;
  /** Of a call. */
  request?: RequestLine;
  node?: string;
  /** Name of the provider that it concerns; looked up only when a fault asks for it. */
  provider(): string | undefined;
  /** Whether the fault would change anything here: one that would not does not act. Default: it would. */
  can?(fault: Fault): boolean;
}

export class Faults {
  private armed: ArmedFault[] = [];

  constructor(
    private readonly effects: Effects,
    private readonly known: KnownNames,
  ) {}

  /**
   * Checked at run time too, for input that no compiler has seen.
   * @throws ZodError that names each wrong field
   * @throws UnknownName - there is no such node or provider
   */
  arm(input: FaultInput): ArmedFault {
    const fault = faultSchema.parse(input) as Fault;
    checkNames(this.known, fault);
    const armed = new ArmedFault(fault);
    this.armed.push(armed);
    this.effects.record('fault-armed', { faultId: armed.id, ...summary(armed.fault) });
    return armed;
  }

  list(): readonly ArmedFault[] {
    return this.armed;
  }

  /** @returns false when there is no such fault (any more). */
  disarm(id: string): boolean {
    const found = this.armed.find((armed) => armed.id === id);
    if (!found) return false;
    this.armed = this.armed.filter((armed) => armed !== found);
    this.clear(found);
    return true;
  }

  disarmAll(): void {
    for (const armed of this.armed.splice(0)) this.clear(armed);
  }

  private clear(armed: ArmedFault): void {
    armed.disarm();
    this.effects.record('fault-cleared', { faultId: armed.id, ...summary(armed.fault) });
  }

  /** The fault that acts here, if any: the first that was armed and is due. Recorded as an effect. */
  take(point: FaultPoint): Fault | undefined {
    let acting: ArmedFault | undefined;
    for (const armed of this.armed) {
      if (!concerns(armed.fault, point)) continue;
      const isDue = armed.match();
      if (isDue) acting ??= armed;
    }
    if (!acting) return undefined;
    const { id, fault } = acting;
    const { node, request } = point;
    const on = point.on ?? `${request?.method} ${request?.path}`;
    const provider = point.provider() ?? (happensToProvider(fault.do) ? fault.provider : undefined);
    this.effects.record('fault', { faultId: id, on, do: fault.do, node, provider });
    acting.act();
    return fault;
  }

  /** The same for a provider's step. */
  takeStep(
    step: ProviderStep,
    provider: string,
    node?: string,
    can?: (fault: Fault) => boolean,
  ): Fault | undefined {
    if (this.armed.length === 0) return undefined;
    return this.take({ on: `${STEP_PREFIX}${step}`, node, provider: () => provider, can });
  }
}

/** Milliseconds by which a fault delays a step or a call. */
export function delayOf(fault: Fault | undefined): number {
  return fault?.do === 'delay' || fault?.do === 'delayAfter' ? (fault.sec ?? 1) * 1000 : 0;
}

function concerns(fault: Fault, point: FaultPoint): boolean {
  if (!isOn(fault.on, point)) return false;
  if (fault.node !== undefined && fault.node !== point.node) return false;
  return concernsProvider(fault, point) && (point.can?.(fault) ?? true);
}

function isOn(on: string, point: FaultPoint): boolean {
  if (isPattern(on)) return point.request !== undefined && matchesRequest(on, point.request);
  if (on === ANY_CALL) return point.request !== undefined && point.on !== undefined;
  return on === point.on;
}

function concernsProvider(fault: Fault, point: FaultPoint): boolean {
  if (!happensToProvider(fault.do))
    return fault.provider === undefined || fault.provider === point.provider();
  const provider = point.provider();
  // What is about nobody in particular can be cut off from everybody.
  if (provider === undefined) return fault.provider !== undefined || fault.do === 'cut';
  return fault.provider === undefined || fault.provider === provider;
}

function summary({ on, do: action, node, provider }: Fault): Pick<Fault, 'on' | 'do' | 'node' | 'provider'> {
  return { on, do: action, node, provider };
}
