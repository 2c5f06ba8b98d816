/**
 * Search attributes of a job or a settlement, where the namespace has them. Each change of them is an event in the history, so
 * amounts alone are told rarely.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { Amount, ProviderId } from '../model/ids';
import { SEARCH_ATTRIBUTES } from '../model/search-attributes';

const { GolemPhase, GolemProviders, GolemCost } = SEARCH_ATTRIBUTES;
const PHASE = defineSearchAttributeKey('GolemPhase', GolemPhase);
const PROVIDERS = defineSearchAttributeKey('GolemProviders', GolemProviders);
const COST = defineSearchAttributeKey('GolemCost', GolemCost);

/** Temporal takes 2 kB a value; with more a workflow would go on no more. */
const MOST_PROVIDERS = 40;
const AMOUNTS_APART_MS = 60_000;

export interface Shown {
  phase: string;
  /** Accepted so far. */
  cost: Amount;
  /** May name one more than once. */
  providers: ProviderId[];
}

export class ShownAttributes {
  private last?: { main: string; cost: Amount; atMs: number };

  /** @param isOn - all of them are registered: then, and only then, is anything set */
  constructor(private readonly isOn: boolean) {}

  show({ phase, cost, providers: all }: Shown): void {
    if (!this.isOn) return;
    const providers = [...new Set(all)].slice(0, MOST_PROVIDERS);
    const main = [phase, ...providers].join(' ');
    const isDue = Date.now() - (this.last?.atMs ?? 0) >= AMOUNTS_APART_MS;
    if (this.last?.main === main && (this.last.cost === cost || !isDue)) return;
    this.last = { main, cost, atMs: Date.now() };
    upsertSearchAttributes([
      { key: PHASE, value: phase },
      { key: PROVIDERS, value: providers },
      { key: COST, value: Number(cost) },
    ]);
  }
}
