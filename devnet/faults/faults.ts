/** Faults that are armed on the network: which call or provider step, the n-th time or by chance, and what happens then. */
import { z } from 'zod';
import { nearestKey } from '../../model/nearest-key';
import type { Effects } from '../effects';
import { unusedSettings } from './action-settings';
import { ArmedFault } from './armed-fault';
import { CALL_NAMES, PROVIDER_STEPS, STEP_NAMES, type ProviderStep } from './operations';

/** What may happen to a call. `cut`, `crash` and `freeze` concern the provider that the call is about. */
export const CALL_ACTIONS = [
  'delay',
  'dropBefore',
  'dropAfter',
  'answer',
  'answerAfter',
  'delayAfter',
  'stopNode',
  'restartNode',
  'restartNodeAfter',
  'cut',
  'crash',
  'freeze',
] as const;

const STEP_PREFIX = 'provider.';
const OPERATIONS = ['*', ...CALL_NAMES, ...STEP_NAMES.map((step) => `${STEP_PREFIX}${step}`)];

export const faultSchema = z
  .strictObject({
    /** A call of the API such as `createAgreement`, `*` for any, or a provider's step such as `provider.debitNote`. */
    on: z.string(),
    do: z.string(),
    /** Only at the node of this name. Default: all nodes. */
    node: z.string().optional(),
    /** Only where it concerns the provider of this name. Default: all. */
    provider: z.string().optional(),
    /** The first match that it acts on. Default 1. */
    nth: z.number().int().min(1).default(1),
    /** Matches that it acts on, from then on; 0 for all. Default 1. */
    times: z.number().int().min(0).default(1),
    /** Chance of each match to be acted on. Default 1. */
    probability: z.number().min(0).max(1).default(1),
    /** Of the chances: the same seed makes the same choices. Default: any. */
    seed: z.number().int().min(0).max(0xffffffff).optional(),
    /** Seconds, of a delay, cut, freeze or restart. Default: 1 for a delay, else until it is restored. */
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
    /** By how much a bill or usage is too large. Default 10. */
    factor: z.number().positive().optional(),
  })
  .superRefine((fault, context) => {
    const problem = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (!OPERATIONS.includes(fault.on)) {
      const near = nearestKey(fault.on, OPERATIONS);
      problem('on', `there is no "${fault.on}"${near ? `; did you mean "${near}"?` : ''}`);
      return;
    }
    const allowed = actionsOn(fault.on);
    if (!allowed.includes(fault.do)) {
      problem('do', `"${fault.do}" can't happen on ${fault.on}; what can: ${allowed.join(', ')}`);
      return;
    }
    for (const [setting, unused] of unusedSettings(fault)) problem(setting, unused);
  });

export type FaultInput = z.input<typeof faultSchema>;
export type Fault = z.output<typeof faultSchema>;

/** Everything a fault can be armed on, with what can happen there. */
export function operations(): { on: string; actions: readonly string[] }[] {
  return OPERATIONS.map((on) => ({ on, actions: actionsOn(on) }));
}

/** What can happen on a call or step. */
export function actionsOn(on: string): readonly string[] {
  if (!on.startsWith(STEP_PREFIX)) return CALL_ACTIONS;
  return PROVIDER_STEPS[on.slice(STEP_PREFIX.length) as ProviderStep];
}

/** Where something is about to happen. */
export interface FaultPoint {
  on: string;
  node?: string;
  /** Name of the provider that it concerns; looked up only when a fault asks for it. */
  provider(): string | undefined;
}

export class Faults {
  private armed: ArmedFault[] = [];

  constructor(private readonly effects: Effects) {}

  /** @throws ZodError that names each wrong field */
  arm(input: FaultInput): ArmedFault {
    const armed = new ArmedFault(faultSchema.parse(input));
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
    this.effects.record('fault', {
      ...{ faultId: id, on: point.on, do: fault.do, node: point.node, provider: point.provider() },
    });
    acting.act();
    return fault;
  }

  /** The same for a provider's step. */
  takeStep(step: ProviderStep, provider: string, node?: string): Fault | undefined {
    if (this.armed.length === 0) return undefined;
    return this.take({ on: `${STEP_PREFIX}${step}`, node, provider: () => provider });
  }
}

/** Milliseconds by which a fault delays a step or a call. */
export function delayOf(fault: Fault | undefined): number {
  return fault?.do === 'delay' || fault?.do === 'delayAfter' ? (fault.sec ?? 1) * 1000 : 0;
}

function concerns(fault: Fault, { on, node, provider }: FaultPoint): boolean {
  if (fault.on !== on && !(fault.on === '*' && !on.startsWith(STEP_PREFIX))) return false;
  if (fault.node !== undefined && fault.node !== node) return false;
  return fault.provider === undefined || fault.provider === provider();
}

function summary({ on, do: action, node, provider }: Fault): object {
  return { on, do: action, node, provider };
}
