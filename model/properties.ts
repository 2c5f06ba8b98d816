/** Golem's property names used here, in one place. Prices are GLM per second of the counter they belong to. */
export const PROP = {
  mark: 'golem.temporal.mark',
  expiration: 'golem.srv.comp.expiration',
  taskPackage: 'golem.srv.comp.task_package',
  packageFormat: 'golem.srv.comp.vm.package_format',
  multiActivity: 'golem.srv.caps.multi-activity',
  subnet: 'golem.node.debug.subnet',
  nodeName: 'golem.node.id.name',
  cpuCores: 'golem.inf.cpu.cores',
  cpuThreads: 'golem.inf.cpu.threads',
  cpuBrand: 'golem.inf.cpu.brand',
  memGib: 'golem.inf.mem.gib',
  storageGib: 'golem.inf.storage.gib',
  runtimeName: 'golem.runtime.name',
  runtimeVersion: 'golem.runtime.version',
  runtimeCapabilities: 'golem.runtime.capabilities',
  chosenPlatform: 'golem.com.payment.chosen-platform',
  paymentProtocol: 'golem.com.payment.protocol.version',
  pricingModel: 'golem.com.pricing.model',
  pricingCoeffs: 'golem.com.pricing.model.linear.coeffs',
  usageVector: 'golem.com.usage.vector',
  acceptTimeout: 'golem.com.payment.debit-notes.accept-timeout?',
  debitNoteInterval: 'golem.com.scheme.payu.debit-note.interval-sec?',
  paymentTimeout: 'golem.com.scheme.payu.payment-timeout-sec?',
  upfront: 'golem.com.payment.upfront.duration-sec?',
  brokerVersion: 'golem.com.payment.broker.version',
  brokerUrl: 'golem.com.payment.broker.url',
  brokerAddress: 'golem.com.payment.broker.address',
  brokerDeposit: 'golem.com.payment.broker.deposit',
  rejectionIsFinal: 'golem.proposal.rejection.is-final',
  requestorCode: 'golem.requestor.code',
  providerCode: 'golem.provider.code',
} as const;

export const USAGE_CPU = 'golem.usage.cpu_sec';
export const USAGE_DURATION = 'golem.usage.duration_sec';

/** Flat property map as yagna's market API carries it. */
export type Properties = Record<string, unknown>;

/** Both sides' properties in an agreement. */
export interface Halves {
  demand: { properties: Properties };
  offer: { properties: Properties };
}
