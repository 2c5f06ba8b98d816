/**
 * A payer other than the requestor's own node: a broker that was prepaid, and decides and pays the debit notes and
 * invoices of agreements that name it, whether or not the requestor is there (GAP-17, self-sustained payments). A demand
 * names it by properties of `golem.com.payment.broker`; an offer of a provider that takes its notes there has
 * `golem.com.payment.broker.version`.
 */
import { PROP, type Properties } from './properties';

/** Of what offers say: notes and invoices are sent to the broker that the demand names. */
export const BROKER_VERSION = 1;

export interface NamedBroker {
  /** Where it takes notes and invoices. */
  url: string;
  /** Whose wallet pays, by the public ledger. */
  address: string;
  /** Id of what was prepaid. */
  deposit: string;
}

/** The broker that an agreement's or a proposal's demand names; undefined: the requestor's node decides and pays. */
export function namedBroker(demand: Properties): NamedBroker | undefined {
  const url = demand[PROP.brokerUrl];
  const address = demand[PROP.brokerAddress];
  const deposit = demand[PROP.brokerDeposit];
  const isNamed = [url, address, deposit].every((part) => typeof part === 'string' && part !== '');
  return isNamed
    ? { url: String(url), address: String(address).toLowerCase(), deposit: String(deposit) }
    : undefined;
}

/** What a demand carries that names it. */
export function brokerProperties({ url, address, deposit }: NamedBroker): Properties {
  return { [PROP.brokerUrl]: url, [PROP.brokerAddress]: address, [PROP.brokerDeposit]: deposit };
}

/** Matches only offers of providers that take their notes to a broker. */
export const BROKER_CONSTRAINT = `(${PROP.brokerVersion}>=${BROKER_VERSION})`;
