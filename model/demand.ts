/**
 * What we ask of the market for a job, as yagna's market API takes it: properties and constraints as the Golem
 * JavaScript SDK sends them, plus our mark. Payment platforms are not in it; `mergeDecorations` adds what yagna
 * says of the job's allocation.
 */
import type { JobSpec } from './job';
import { BROKER_CONSTRAINT, brokerProperties, type NamedBroker } from './payer';
import { PROP, type Properties } from './properties';

export interface DemandBody {
  properties: Properties;
  constraints: string;
}

/** `GET /payment-api/v1/demandDecorations` of an allocation. */
export interface DemandDecorations {
  properties: readonly { key: string; value: string }[];
  constraints: readonly string[];
}

/**
 * @param at.mark - the job's mark, `owner/jobUuid/n`
 * @param at.payer - who decides and pays, if it is not we
 * @param at.nowMs - time of the demand, milliseconds since the epoch; `expirationSec` counts from it
 */
export function buildDemand(
  spec: Pick<JobSpec, 'demand' | 'image'>,
  at: { mark: string; nowMs: number; payer?: NamedBroker },
): DemandBody {
  const { demand, image } = spec;
  const properties: Properties = {
    [PROP.multiActivity]: true,
    [PROP.subnet]: demand.subnetTag,
    [PROP.expiration]: at.nowMs + demand.expirationSec * 1000,
    [PROP.packageFormat]: 'gvmkit-squash',
    [PROP.taskPackage]: image.taskPackage,
    [PROP.mark]: at.mark,
  };
  // Each is an offer to negotiate: absent means that we can't do it, and the agreement may last less (see
  // duration-classes.ts).
  setIfGiven(properties, PROP.debitNoteInterval, demand.midAgreementDebitNoteIntervalSec);
  setIfGiven(properties, PROP.paymentTimeout, demand.midAgreementPaymentTimeoutSec);
  setIfGiven(properties, PROP.acceptTimeout, demand.debitNotesAcceptanceTimeoutSec);
  setIfGiven(properties, PROP.upfront, demand.upfrontSec);
  if (at.payer) Object.assign(properties, brokerProperties(at.payer));

  const constraints = [
    `(${PROP.pricingModel}=linear)`,
    `(${PROP.subnet}=${demand.subnetTag})`,
    `(${PROP.runtimeName}=${demand.runtime})`,
    ...demand.capabilities.map((capability) => `(${PROP.runtimeCapabilities}=${capability})`),
    ...(at.payer ? [BROKER_CONSTRAINT] : []),
    `(${PROP.memGib}>=${demand.minMemGib})`,
    `(${PROP.storageGib}>=${demand.minStorageGib})`,
    `(${PROP.cpuCores}>=${demand.minCpuCores})`,
    `(${PROP.cpuThreads}>=${demand.minCpuThreads})`,
  ];
  return { properties, constraints: allOf(constraints) };
}

/** Adds the payment platforms of an allocation, as yagna gives them. */
export function mergeDecorations(demand: DemandBody, decorations: DemandDecorations): DemandBody {
  const added = Object.fromEntries(decorations.properties.map(({ key, value }) => [key, value]));
  return {
    properties: { ...demand.properties, ...added },
    constraints: allOf([demand.constraints, ...decorations.constraints]),
  };
}

/** Properties of our counter-proposal: the demand's, and the platform we shall pay on. */
export function counterProperties(demand: Pick<DemandBody, 'properties'>, platform: string): Properties {
  return { ...demand.properties, [PROP.chosenPlatform]: platform };
}

const ALL_OF = /^\(&([\s\S]*)\)$/;

/** One conjunction of all; a conjunction among them is taken apart, so that none is nested. */
function allOf(constraints: readonly string[]): string {
  const parts = constraints.map((constraint) => ALL_OF.exec(constraint)?.[1] ?? constraint);
  return `(&${parts.join('\n\t')})`;
}

function setIfGiven(properties: Properties, name: string, value: number | undefined): void {
  if (value !== undefined) properties[name] = value;
}
