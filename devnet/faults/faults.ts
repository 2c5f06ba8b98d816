/** Faults that are armed on the network: which call or provider step, the n-th time or by chance, and what happens then. */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { nearestKey } from '../../model/nearest-key';
import type { Effects } from '../effects';
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
    }
  });

export type FaultInput = z.input<typeof faultSchema>;
export type Fault = z.output<typeof faultSchema>;

/** What can happen on a call or step. */
export function actionsOn(on: string): readonly string[] {
  if (!on.startsWith(STEP_PREFIX)) return CALL_ACTIONS;
  return PROVIDER_STEPS[on.slice(STEP_PREFIX.length) as ProviderStep];
}

export interface ArmedFault {
  id: string;
  fault: Fault;
  /** How often it could have acted. */
  matches: number;
  /** How often it did. */
  hits: number;
  /** Undefined while every match is acted on. */
  random?: () => number;
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
    const fault = faultSchema.parse(input);
    const armed: ArmedFault = { id: randomUUID(), fault, matches: 0, hits: 0 };
    if (fault.probability < 1) armed.random = randomNumbers(fault.seed ?? randomInt(0xffffffff));
    this.armed.push(armed);
    return armed;
  }

  list(): readonly ArmedFault[] {
    return this.armed;
  }

  /** @returns false when there is no such fault (any more). */
  disarm(id: string): boolean {
    const before = this.armed.length;
    this.armed = this.armed.filter((armed) => armed.id !== id);
    return this.armed.length < before;
  }

  disarmAll(): void {
    this.armed = [];
  }

  /** The fault that acts here, if any: the first that was armed and is due. Recorded as an effect. */
  take(point: FaultPoint): Fault | undefined {
    let acting: ArmedFault | undefined;
    for (const armed of this.armed) {
      if (!concerns(armed.fault, point)) continue;
      armed.matches += 1;
      if (!acting && isDue(armed)) acting = armed;
    }
    if (!acting) return undefined;
    acting.hits += 1;
    const { id, fault } = acting;
    this.effects.record('fault', {
      ...{ faultId: id, on: point.on, do: fault.do, node: point.node, provider: point.provider() },
    });
    return fault;
  }

  /** The same for a provider's step. */
  takeStep(step: ProviderStep, provider: string, node?: string): Fault | undefined {
    if (this.armed.length === 0) return undefined;
    return this.take({ on: `${STEP_PREFIX}${step}`, node, provider: () => provider });
  }
}

/** Milliseconds by which a fault delays a step. */
export function delayOf(fault: Fault | undefined): number {
  return fault?.do === 'delay' ? (fault.sec ?? 1) * 1000 : 0;
}

function concerns(fault: Fault, { on, node, provider }: FaultPoint): boolean {
  if (fault.on !== on && !(fault.on === '*' && !on.startsWith(STEP_PREFIX))) return false;
  if (fault.node !== undefined && fault.node !== node) return false;
  return fault.provider === undefined || fault.provider === provider();
}

function isDue({ fault, matches, hits, random }: ArmedFault): boolean {
  if (matches < fault.nth) return false;
  // Drawn at each match, so that the choices depend on nothing but the seed.
  const chosen = random ? random() < fault.probability : true;
  return chosen && (fault.times === 0 || hits < fault.times);
}

/** Numbers from 0 to 1 that follow from a seed. */
function randomNumbers(seed: number): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}
