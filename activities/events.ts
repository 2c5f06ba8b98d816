/** Builds the events users follow, with the fields of Golem's guide. */
import { exact, toAmount } from '../model/amount';
import type { EventName, NewEvent } from '../model/events';
import { foreignTexts, foreignValue } from '../model/foreign-text';
import type { AgreementId, Amount, GolemActivityId } from '../model/ids';
import { PROP, type Properties } from '../model/properties';
import type { ProviderInfo } from '../model/result';

export function event(name: EventName, details: Record<string, unknown>): NewEvent {
  return { name, at: new Date().toISOString(), details };
}

/** A Golem activity whose state has changed. */
export function stateChanged(
  id: GolemActivityId,
  agreementId: AgreementId,
  provider: ProviderInfo | undefined,
  state: string,
): NewEvent {
  return event('ActivityStateChanged', { id, agreementId, provider, state });
}

/** A Golem activity that we have ended. */
export function vmDestroyed(
  id: GolemActivityId,
  agreementId: AgreementId,
  provider: ProviderInfo | undefined,
): NewEvent[] {
  const destroyed = event('ActivityDestroyed', { id, agreementId, provider });
  return [destroyed, stateChanged(id, agreementId, provider, 'Terminated')];
}

/** An amount with the digits it needs, and with all 18 after the point. */
export function amounts(amount: Amount): { amount: Amount; amountPrecise: Amount } {
  return { amount: toAmount(exact(amount)), amountPrecise: exact(amount).toFixed(18) };
}

/** An offer as the guide's `ProposalReceived` shows it. */
export function proposalReceived(
  id: string,
  provider: ProviderInfo,
  offer: Properties,
  state: string,
  parentId?: string,
): NewEvent {
  return event('ProposalReceived', {
    ...{ id, parentId, provider },
    details: {
      transferProtocol: foreignTexts(offer['golem.activity.caps.transfer.protocol']),
      cpuBrand: foreignValue(offer[PROP.cpuBrand]),
      cpuCapabilities: foreignTexts(offer['golem.inf.cpu.capabilities']),
      cpuCores: foreignValue(offer[PROP.cpuCores]),
      cpuThreads: foreignValue(offer[PROP.cpuThreads]),
      memory: foreignValue(offer[PROP.memGib]),
      storage: foreignValue(offer[PROP.storageGib]),
      publicNet: foreignValue(offer['golem.node.net.is-public']),
      runtimeCapabilities: foreignTexts(offer[PROP.runtimeCapabilities]),
      runtimeName: foreignValue(offer[PROP.runtimeName]),
      state,
    },
  });
}
