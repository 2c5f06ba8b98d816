/** A fault that is seen to act: what is armed, what a requestor then sees, and which lines of the checklist that shows. */
import type { ArmedFault, Devnet, DevnetOptions, FaultInput } from '../../../devnet';
import type { Requestor } from '../devnet-requestor';
import type { ChecklistLine } from './checklist';

export interface Scene {
  requestor: Requestor;
  devnet: Devnet;
  /** Arms the case's fault; more of its settings may be given. It must have acted when the case is over. */
  arm(settings?: Omit<Partial<FaultInput>, 'on' | 'do'>): ArmedFault;
}

export interface FaultCase {
  fault: FaultInput;
  what: string;
  options?: DevnetOptions;
  shows?: readonly ChecklistLine[];
  play(scene: Scene): Promise<void>;
}

/** Without a fault: what providers, money and nodes do by themselves, or when told to. */
export interface PlainCase extends Omit<FaultCase, 'fault' | 'play'> {
  play(scene: Omit<Scene, 'arm'>): Promise<void>;
}

/** What of a fault is a kind: all calls and requests are alike, each step of a provider is one of its own. */
export function kindOf({ on, do: action }: { on: string; do: string }): string {
  return `${on.startsWith('provider.') ? on : 'call'} ${action}`;
}

/** A request whose connection is cut. */
export async function lost(call: Promise<unknown>): Promise<void> {
  await expect(call).rejects.toThrow('fetch failed');
}
