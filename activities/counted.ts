/**
 * What activities count in Temporal's metrics, beside the requests to yagna: with the SDK's own tags (namespace, task queue,
 * activity type). An activity that is retried after its answer was lost counts twice.
 */
import { metricMeter } from '@temporalio/activity';
import type { Decision, WatchedScript } from './contract';

export function countScript({ state }: Pick<WatchedScript, 'state'>): void {
  metricMeter.createCounter('golem_scripts', '{script}', 'Scripts that are over').add(1, { state });
}

/** One decided now, or found decided. */
export function countDecision({
  document: { kind },
  decision,
}: Pick<Decision, 'document' | 'decision'>): void {
  metricMeter
    .createCounter('golem_documents', '{document}', 'Debit notes and invoices that were looked at')
    .add(1, { kind, decision });
}
