/**
 * Every kind of effect that there is, with what it means and its fields: the types of `Effects`, what the admin API
 * lets be asked for, and the table in docs/devnet.md (`node scripts/readme.js` writes it there).
 */
import { z } from 'zod';
import { nearestKey } from '../model/nearest-key';

const text = z.string();
/** GLM, a decimal. */
const amount = z.string();
/** Whatever was sent. */
const anything = z.unknown();
const proposal = z.object({ proposalId: text, providerId: text });

const allocation = { allocationId: text };
const demand = { demandId: text, requestorId: text };
const negotiated = { demandId: text, proposalId: text, providerId: text };
const scan = { scanId: text, requestorId: text };
const agreement = { agreementId: text };
const activity = { ...agreement, activityId: text };
const script = { ...activity, batchId: text, commands: z.array(text) };
const command = { ...activity, batchId: text, index: z.number(), command: text };
const note = { debitNoteId: text, ...activity, amount };
const invoice = { invoiceId: text, ...agreement };
const network = { networkId: text, requestorId: text };
const tcp = { networkId: text, ip: text, port: z.number(), activityId: text, provider: text };
const fault = { faultId: text, on: text, do: text, node: text.optional(), provider: text.optional() };
const cut = { node: text.optional(), provider: text.optional() };
const provider = { provider: text };
const node = { node: text, port: z.number() };

function kind<F extends z.ZodRawShape>(means: string, fields: F): { means: string; fields: z.ZodObject<F> } {
  return { means, fields: z.object(fields) };
}

export const EFFECTS = {
  'wallet-opened': kind("A requestor's account is used for the first time, and given its first money.", {
    ...{ requestorId: text, platform: text, amount },
  }),
  'money-transferred': kind(
    'Money went from one wallet to another, at the word of the admin API or a test.',
    {
      ...{ from: text, to: text, platform: text, amount },
    },
  ),
  'deposit-created': kind('A funder locked money in a contract, for a requestor to spend.', {
    ...{ depositId: text, contract: text, funder: text, amount, platform: text },
  }),
  'deposit-closed': kind('What was left of a deposit went back to its funder.', {
    ...{ depositId: text, contract: text, funder: text, left: amount },
  }),
  'allocation-created': kind('A requestor reserved money.', {
    ...{
      ...allocation,
      requestorId: text,
      platform: text,
      amount,
      timeout: text,
      depositId: text.optional(),
    },
  }),
  'allocation-amended': kind('Its amount or timeout is another one from now on.', {
    ...{ ...allocation, amount, timeout: text },
  }),
  'allocation-released': kind('What is left in it is free again.', {
    ...{ ...allocation, by: z.enum(['requestor', 'timeout']) },
  }),

  'demand-created': kind('A requestor subscribed a demand.', demand),
  'demand-removed': kind('The requestor unsubscribed it.', demand),
  'demand-forgotten': kind('Its node went down, and yagna keeps demands in memory.', demand),
  'proposals-collected': kind(
    'A requestor read, and so consumed, what waited for it under a demand: offers, drafts, and refusals of proposals.',
    { ...demand, offers: z.array(proposal), drafts: z.array(proposal), refusals: z.array(proposal) },
  ),
  'proposal-countered': kind("A requestor answered a provider's proposal with one of its own.", {
    ...{ ...negotiated, prevProposalId: text },
  }),
  'proposal-drafted': kind('The provider answered that with a draft that an agreement can be made of.', {
    ...{ ...negotiated, prevProposalId: text },
  }),
  'proposal-refused': kind("The provider refused a requestor's proposal.", {
    ...{ ...negotiated, message: text, isFinal: z.boolean() },
  }),
  'proposal-rejected': kind("The requestor rejected a provider's proposal.", negotiated),
  'scan-begun': kind('A requestor began to look over the offers on the market.', { ...scan, type: text }),
  'offers-scanned': kind('It read, and so consumed, offers that its scan had found.', {
    ...{ ...scan, offers: z.array(z.object({ offerId: text, providerId: text })) },
  }),
  'scan-ended': kind('The requestor ended its scan.', scan),
  'scan-forgotten': kind('Its node went down, and yagna keeps scans in memory.', scan),

  'agreement-created': kind("A requestor made an agreement of a provider's draft.", {
    ...{ ...agreement, requestorId: text, providerId: text, demandId: text, proposalId: text },
  }),
  'agreement-confirmed': kind('The requestor signed it.', { ...agreement, appSessionId: text.optional() }),
  'agreement-approved': kind('The provider signed it.', agreement),
  'agreement-rejected': kind('The provider did not want it.', { ...agreement, reason: anything }),
  'agreement-cancelled': kind('The requestor took it back.', { ...agreement, reason: anything }),
  'agreement-expired': kind('Its `validTo` passed before both had signed.', agreement),
  'agreement-terminated': kind('One side ended it.', {
    ...{ ...agreement, terminator: z.enum(['Requestor', 'Provider']), reason: anything },
  }),

  'activity-created': kind('There is a VM under an agreement.', activity),
  'activity-destroyed': kind(
    "It is gone: at its requestor's word, with its agreement, because its processes died, its provider crashed, or the devnet stopped.",
    {
      ...activity,
      reason: z.enum(['destroyed', 'agreement-ended', 'died', 'provider-crashed', 'devnet-stopped']),
    },
  ),
  'script-received': kind('A requestor sent a script to an activity, where it waits for its turn.', script),
  'script-started': kind('Its turn has come.', script),
  'command-started': kind('A command of it begins.', command),
  'command-finished': kind('The command ended. One that its VM died under never does.', {
    ...{ ...command, result: z.enum(['Ok', 'Error']), exitCode: z.number(), message: text.optional() },
  }),
  'script-finished': kind(
    'No further command of a script runs: all went well, one failed, or the activity ended before.',
    { ...script, result: z.enum(['Ok', 'Error', 'Interrupted']) },
  ),

  'debit-note-issued': kind('A provider sent a debit note.', note),
  'debit-note-accepted': kind('The requestor accepted it.', note),
  'debit-note-settled': kind('What was paid for its activity covers it.', note),
  'invoice-issued': kind('A provider sent an invoice.', { ...invoice, amount }),
  'invoice-accepted': kind('The requestor accepted it.', { ...invoice, amount }),
  'invoice-rejected': kind('The requestor rejected it.', { ...invoice, rejection: anything }),
  'invoice-settled': kind('Nothing is owed for its agreement any more.', { ...invoice, amount }),
  paid: kind('A requestor paid a provider, for one or more notes and invoices.', {
    ...{ paymentId: text, requestorId: text, providerId: text, platform: text, amount },
  }),
  'paid-by-broker': kind('A broker paid a provider for a requestor, out of a deposit with it.', {
    ...{ paymentId: text, payer: text, requestorId: text, providerId: text, platform: text, amount },
  }),
  'broker-decided': kind(
    'A broker decided a debit note or an invoice, whether or not the requestor is there.',
    {
      ...{ documentId: text, ...agreement, amount },
      ...{ decision: z.enum(['settled', 'refused']), reason: text.optional() },
    },
  ),
  'payment-short-of-funds': kind('A payment waits: a wallet holds too little.', {
    ...{ requestorId: text, providerId: text, platform: text, amount, missing: amount },
  }),

  'network-created': kind('A requestor made a virtual network.', { ...network, ip: text }),
  'network-address-added': kind('The requestor has an address in it.', { ...network, ip: text }),
  'network-node-added': kind('A node has an address in it.', { ...network, nodeId: text, ip: text }),
  'network-node-removed': kind('A node has none any more.', { ...network, nodeId: text }),
  'tcp-opened': kind('A requestor has a connection to a VM in it.', tcp),
  'tcp-closed': kind('The connection is over.', tcp),
  'network-removed': kind('The requestor removed the network.', network),
  'network-forgotten': kind('Its node went down, and yagna keeps networks in memory.', network),

  'fault-armed': kind('A fault waits for its moment.', fault),
  fault: kind('It acts.', fault),
  'fault-cleared': kind('It was taken back.', fault),
  'link-cut': kind(
    'A node and a provider do not reach each other; where one is not named, all are meant.',
    cut,
  ),
  'link-restored': kind('They reach each other again.', cut),
  'provider-crashed': kind('A provider is gone, with its VMs and what it knew of its agreements.', provider),
  'provider-revived': kind('It is back, and begins anew.', provider),
  'provider-frozen': kind('A provider stands still, and its VMs with it.', provider),
  'provider-thawed': kind('It goes on.', provider),
  'provider-shut-down': kind('A provider went out of business, in good order.', provider),
  'provider-reopened': kind('It is in business again, with a new offer.', provider),
  'node-started': kind("A requestor's node listens; its port may be another one than before.", node),
  'node-stopped': kind('It is down.', node),
} as const;

export type EffectKind = keyof typeof EFFECTS;
export type EffectFields<K extends EffectKind> = z.output<(typeof EFFECTS)[K]['fields']>;

/** No effect is of that kind. */
export class UnknownEffectKind extends Error {}

/** @throws UnknownEffectKind with the name that was meant, perhaps */
export function checkKinds(kinds: readonly string[]): asserts kinds is EffectKind[] {
  const known = Object.keys(EFFECTS);
  for (const name of kinds) {
    if (known.includes(name)) continue;
    const near = nearestKey(name, known);
    const hint = near ? `did you mean "${near}"?` : `there are: ${known.join(', ')}`;
    throw new UnknownEffectKind(`no effect is of the kind "${name}"; ${hint}`);
  }
}

/** All kinds, for a table: fields that may be missing with a question mark, one of several words with all of them. */
export function effectKinds(): { kind: string; fields: string[]; means: string }[] {
  return Object.entries(EFFECTS).map(([name, { fields, means }]) => ({
    kind: name,
    fields: Object.entries<z.ZodType>(fields.shape).map(([field, type]) => {
      const words = type instanceof z.ZodEnum ? `: ${type.options.join(', ')}` : '';
      return `${field}${type instanceof z.ZodOptional ? '?' : ''}${words}`;
    }),
    means,
  }));
}
