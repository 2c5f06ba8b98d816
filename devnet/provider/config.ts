/**
 * The settings of one simulated provider: hardware, prices, temper. Checked by zod, with a default for everything but
 * its name; each default that is a number of seconds is ya-provider's own. How a file of providers is read is in
 * providers-file.ts.
 */
import { z } from 'zod';
import { PLATFORMS } from '../payment/platforms';

const described = <T extends z.ZodType>(schema: T, description: string, unit?: string): T =>
  schema.meta({ description, ...(unit !== undefined && { unit }) });

/** 100 years: dates that far are still dates. */
const LONGEST_SEC = 3_155_760_000;

const seconds = (byDefault: number, description: string) =>
  described(z.number().nonnegative().max(LONGEST_SEC).default(byDefault), description, 'seconds');

/** Of what happens again and again. */
const interval = (byDefault: number, description: string) =>
  described(z.number().positive().max(LONGEST_SEC).default(byDefault), description, 'seconds');

const price = (byDefault: string, description: string, unit: string) =>
  described(
    z
      .string({ error: 'expected an amount of GLM as a string such as "0.1"' })
      .regex(/^\d+(\.\d+)?$/, {
        error: 'expected an amount of GLM as a string such as "0.1"',
        abort: true,
      })
      .regex(/^\d{1,12}(\.\d{1,30})?$/, 'must have at most 12 digits before the point and 30 after it')
      .default(byDefault),
    description,
    unit,
  );

export const hardwareSchema = z.strictObject({
  cpuCores: described(z.number().int().positive().default(2), 'CPU cores that it offers.'),
  cpuThreads: described(
    z.number().int().positive().default(2),
    'CPU threads: commands are kept to so many CPUs, and are billed for no more.',
  ),
  memGib: described(z.number().positive().default(4), 'Memory that it offers.', 'GiB'),
  storageGib: described(z.number().positive().default(20), 'Disk space that it offers.', 'GiB'),
  cpuBrand: described(z.string().default('Devnet CPU'), 'Name of its CPU.'),
});

export const pricingSchema = z.strictObject({
  start: price('0', 'Charged once for each activity.', 'GLM'),
  cpuPerHour: price('0.1', 'Charged for each hour of CPU time.', 'GLM per hour'),
  envPerHour: price('0.05', 'Charged for each hour that an activity lasts.', 'GLM per hour'),
});

export const providerSchema = z.strictObject({
  name: described(
    z.string().min(1),
    'Shown to requestors, and unique in the network; the node id follows from it.',
  ),
  subnet: described(z.string().min(1).default('public'), 'Only demands of the same subnet are answered.'),
  hardware: described(hardwareSchema.prefault({}), 'What its machine has.'),
  runtime: described(z.string().min(1).default('vm'), 'Name of its runtime.'),
  runtimeVersion: described(z.string().min(1).default('0.4.2'), 'Version of its runtime.'),
  capabilities: described(
    z.array(z.string()).default(['vpn', 'manifest-support', 'start-entrypoint']),
    'What the runtime can do, as `golem.runtime.capabilities`. It is only said: what VMs can do is the same without `inet` or `vpn`.',
  ),
  pricing: described(pricingSchema.prefault({}), 'Linear prices.'),
  platforms: described(
    z.array(z.enum(PLATFORMS)).min(1).default(['erc20-holesky-tglm', 'erc20-polygon-glm']),
    'Payment platforms on which it takes money. A proposal that chooses another one is refused.',
  ),
  paidBy: described(
    z.enum(['requestor', 'either', 'broker']).default('requestor'),
    'Who decides and pays its bills: the node of the requestor, a broker that the demand names, or either. With `broker` it matches only demands that name one; with `requestor` it sends bills to no broker.',
  ),
  agreementLimit: described(z.number().int().positive().default(1), 'Agreements at the same time.'),
  activityLimit: described(
    z.number().int().positive().default(1),
    'Activities at the same time in one agreement. ya-provider allows one.',
  ),

  acceptTimeoutSec: seconds(
    240,
    'Longest time in which a debit note must be accepted. It is offered; a demand may lower it.',
  ),
  minAcceptTimeoutSec: seconds(5, 'A demand that asks for less is refused for good.'),
  debitNoteIntervalSec: interval(120, 'Time between debit notes of an activity that is offered.'),
  minDebitNoteIntervalSec: interval(1, 'Shortest time between debit notes that a demand may ask for.'),
  maxDebitNoteIntervalSec: interval(86_400, 'Longest time between debit notes that a demand may ask for.'),
  payableNotes: described(
    z.boolean().default(true),
    'Whether it takes payments while an agreement lasts: it offers a payment timeout, and debit notes become payable once one is agreed. If not, only the invoice is ever payable.',
  ),
  paymentTimeoutSec: seconds(
    120,
    'Time in which a payable debit note must be paid, and the least time between two of them, that is offered.',
  ),
  minPaymentTimeoutSec: seconds(1, 'Shortest payment timeout that a demand may ask for.'),
  maxPaymentTimeoutSec: seconds(86_400, 'Longest payment timeout that a demand may ask for.'),
  upfrontSec: seconds(
    0,
    'Most time of an activity that it sells in advance, 0 for none. A demand that asks for some gets one payable debit note at the beginning, for all of the time on all threads, and no other; then the provider ends the agreement (`PaidTimeOver`).',
  ),
  paymentDueSec: seconds(86_400, 'Time in which an invoice must be paid when no payment timeout was agreed.'),

  minExpirationSec: seconds(300, 'An agreement must last at least so long.'),
  maxExpirationSec: seconds(LONGEST_SEC, 'An agreement may last no longer.'),
  maxExpirationWithoutAcceptanceSec: seconds(
    1800,
    'From here on a demand must promise to accept debit notes in time; below `minExpirationSec`, every one.',
  ),
  paymentTimeoutRequiredFromSec: seconds(
    36_000,
    'From here on a demand must have a payment timeout, to pay as the agreement lasts; above `maxExpirationSec`, none.',
  ),

  idleLimitSec: seconds(90, 'It ends an agreement that has had no activity for so long (`NoActivity`).'),
  unresponsiveSec: seconds(
    5,
    'An activity that was not heard of for longer than this is `Unresponsive` when its provider is back.',
  ),

  offerDelaySec: seconds(0, 'From a demand to the offer that answers it.'),
  negotiateSec: seconds(0, 'From a counter-proposal to the answer.'),
  approveSec: seconds(0, 'From the confirmation of an agreement to its approval.'),
  createSec: seconds(0, 'That creating an activity takes.'),
  deploySec: seconds(0, 'That the `deploy` command takes, beside what it really takes.'),
  startSec: seconds(0, 'That the `start` command takes.'),
  destroySec: seconds(0, 'That destroying an activity takes.'),
  invoiceDelaySec: seconds(0, 'From the end of an agreement to its invoice.'),
  startFails: described(z.string().optional(), 'When set, the `start` command fails with this message.'),
});

/** As a file or an option gives it. */
export type ProviderConfig = z.input<typeof providerSchema>;
/** With every default filled in. */
export type Provider = z.output<typeof providerSchema>;
