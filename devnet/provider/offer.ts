/** A provider's offer: the properties and constraints it puts on the market. */
import { Decimal } from 'decimal.js';
import { BROKER_VERSION } from '../../model/payer';
import { PROP, USAGE_CPU, USAGE_DURATION } from '../../model/properties';
import type { Terms } from '../market/constraints';
import type { Provider } from './config';

/** Order of the usage vector, and so of the coefficients before the start price. */
export const USAGE_VECTOR = [USAGE_CPU, USAGE_DURATION];

/** GLM per hour as the number per second that travels on the wire. */
function perSecond(perHour: string): number {
  return new Decimal(perHour).div(3600).toNumber();
}

export function offerTerms(provider: Provider, nodeId: string, now: number): Terms {
  const { hardware, pricing } = provider;
  const addresses = provider.platforms.map((platform) => [
    `golem.com.payment.platform.${platform}.address`,
    nodeId,
  ]);
  const properties: Record<string, unknown> = {
    'golem.activity.caps.deploy.report-progress': true,
    'golem.activity.caps.transfer.protocol': ['http', 'https', 'file'],
    'golem.activity.caps.transfer.report-progress': true,
    'golem.com.payment.debit-notes.accept-timeout?': provider.acceptTimeoutSec,
    ...(Object.fromEntries(addresses) as Record<string, string>),
    ...(provider.upfrontSec > 0 && { [PROP.upfront]: provider.upfrontSec }),
    ...(provider.paidBy !== 'requestor' && { [PROP.brokerVersion]: BROKER_VERSION }),
    'golem.com.payment.protocol.version': 3,
    'golem.com.pricing.model': 'linear',
    'golem.com.pricing.model.linear.coeffs': [
      perSecond(pricing.cpuPerHour),
      perSecond(pricing.envPerHour),
      Number(pricing.start),
    ],
    'golem.com.scheme': 'payu',
    'golem.com.scheme.payu': {},
    'golem.com.scheme.payu.debit-note.interval-sec?': provider.debitNoteIntervalSec,
    ...(provider.payableNotes && {
      'golem.com.scheme.payu.payment-timeout-sec?': provider.paymentTimeoutSec,
    }),
    'golem.com.usage.vector': USAGE_VECTOR,
    'golem.inf.cpu.architecture': 'x86_64',
    'golem.inf.cpu.brand': hardware.cpuBrand,
    'golem.inf.cpu.capabilities': ['sse3', 'avx'],
    'golem.inf.cpu.cores': hardware.cpuCores,
    'golem.inf.cpu.model': 'Stepping 1 Family 6 Model 1',
    'golem.inf.cpu.threads': hardware.cpuThreads,
    'golem.inf.cpu.vendor': 'GenuineIntel',
    'golem.inf.mem.gib': hardware.memGib,
    'golem.inf.storage.gib': hardware.storageGib,
    'golem.node.debug.subnet': provider.subnet,
    'golem.node.id.name': provider.name,
    'golem.node.net.is-public': false,
    'golem.runtime.capabilities': provider.capabilities,
    'golem.runtime.name': provider.runtime,
    'golem.runtime.version': provider.runtimeVersion,
    'golem.srv.caps.multi-activity': true,
    'golem.srv.caps.payload-manifest': true,
  };
  const constraints = [
    `(golem.srv.comp.expiration>${now})`,
    `(golem.node.debug.subnet=${provider.subnet})`,
    ...(provider.paidBy === 'broker' ? [`(${PROP.brokerAddress}=*)`] : []),
  ];
  return {
    properties: Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))),
    constraints: `(&\n  ${constraints.join('\n  ')}\n)`,
  };
}
