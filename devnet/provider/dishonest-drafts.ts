/** What armed faults make of the terms that a provider agrees to. */
import { PROP } from '../../model/properties';
import type { Fault } from '../faults/faults';
import type { Terms } from '../market/constraints';
import { factorOf } from './dishonest-bills';

/** Whether it would change anything: a provider that works for nothing can't be dearer. */
export function changesDraft(fault: Fault, offer: Terms | undefined): boolean {
  return fault.do !== 'dearer' || (offer !== undefined && coefficients(offer).some((price) => price > 0));
}

/** @returns the terms as they are sent; the same ones where the fault is about something else */
export function dishonestDraft(fault: Fault | undefined, honest: Terms): Terms {
  if (fault?.do !== 'dearer') return honest;
  const dear = coefficients(honest).map((price) => price * factorOf(fault));
  return { ...honest, properties: { ...honest.properties, [PROP.pricingCoeffs]: dear } };
}

function coefficients({ properties }: Terms): number[] {
  return properties[PROP.pricingCoeffs] as number[];
}
