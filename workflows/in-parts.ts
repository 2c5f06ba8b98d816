/** Scripts that are sent in parts, in whichever VM: how one begins, and what a part's end means for the whole. */
import type { CommandResult } from '../model/result';
import { fitScriptResults } from '../model/result-size';
import type { Assignment } from './protocol';
import type { Rental } from './rental';
import type { EndedScript } from './script-runner';
import { commandsOf, earlierOf, nextPart, partsOf } from './state/script-parts';

/** A script that may take more than one part begins with its first. */
export function inParts(rental: Rental, script: Assignment): Assignment {
  if (script.parts) return script;
  const { id, commands, checkpoint, restore = false, stored } = script;
  const key = `${rental.record.terms.n}-${id.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 100)}`;
  const parts = partsOf({ key, commands, checkpoint, restore, stored });
  return parts ? { ...script, parts, commands: commandsOf(parts) } : script;
}

/** What of a script follows from the end of a part; where nothing does, that end tells of the whole of it. */
export function nextOf(
  rental: Rental,
  { outcome, vm }: EndedScript,
  script: Assignment,
): Assignment | undefined {
  const { parts } = script;
  if (!parts) return undefined;
  const { state, results, batchId } = outcome;
  const wasRun = batchId !== undefined && vm === undefined && (state === 'done' || state === 'failed');
  const part = wasRun ? nextPart(parts, { state, results, batchId }) : undefined;
  if (part) return { ...script, ...part };
  Object.assign(outcome, earlierOf(parts));
  if (wasRun && parts.stage === 'restore')
    outcome.reason = `its checkpoint could not be restored: ${outcome.reason ?? state}`;
  if (wasRun || parts.kept.length > 0) outcome.results = resultsSoFar(rental, script);
  return undefined;
}

/** Of the parts that have ended. Each one's outputs fit into a payload, which does not say that all of them do. */
export function resultsSoFar(rental: Rental, script?: Assignment): CommandResult[] {
  return fitScriptResults(script?.parts?.kept ?? [], rental.record.terms.outputLimitBytes);
}
