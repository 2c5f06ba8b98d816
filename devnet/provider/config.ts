/** What a simulated provider is: hardware, prices, temper. Checked by zod, with a default for everything but its name. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const seconds = z.number().nonnegative();
const price = z.string().regex(/^\d+(\.\d+)?$/, 'expected an amount of GLM as a string such as "0.1"');

const providerSchema = z.strictObject({
  /** Shown to requestors; the provider's node id follows from it. */
  name: z.string().min(1),
  subnet: z.string().min(1).default('public'),
  hardware: z
    .strictObject({
      cpuCores: z.number().int().positive().default(2),
      cpuThreads: z.number().int().positive().default(2),
      memGib: z.number().positive().default(4),
      storageGib: z.number().positive().default(20),
      cpuBrand: z.string().default('Devnet CPU'),
    })
    .prefault({}),
  /** Runtime and what it can do. */
  runtime: z.string().default('vm'),
  runtimeVersion: z.string().default('0.4.2'),
  capabilities: z.array(z.string()).default(['manifest-support', 'start-entrypoint']),
  /** GLM. `start` is charged once an activity, the others for each hour of the counter. */
  pricing: z
    .strictObject({
      start: price.default('0'),
      cpuPerHour: price.default('0.1'),
      envPerHour: price.default('0.05'),
    })
    .prefault({}),
  /** Payment platforms it takes money on. */
  platforms: z.array(z.string()).min(1).default(['erc20-holesky-tglm', 'erc20-polygon-glm']),
  /** Agreements at the same time. */
  agreementLimit: z.number().int().positive().default(1),

  /** Longest time the requestor may take to accept a debit note; the base of negotiation. */
  acceptTimeoutSec: seconds.default(240),
  minAcceptTimeoutSec: seconds.default(5),
  /** Time between debit notes, and the range it may be negotiated in. */
  debitNoteIntervalSec: seconds.default(120),
  minDebitNoteIntervalSec: seconds.default(1),
  maxDebitNoteIntervalSec: seconds.default(86_400),
  /** Time to pay a payable debit note, and the range it may be negotiated in. */
  paymentTimeoutSec: seconds.default(120),
  minPaymentTimeoutSec: seconds.default(1),
  maxPaymentTimeoutSec: seconds.default(86_400),
  /** Shortest and longest life of an agreement. */
  minExpirationSec: seconds.default(300),
  maxExpirationSec: seconds.default(3_155_760_000),
  /** Longer agreements need a requestor who promises to accept debit notes. */
  maxExpirationWithoutAcceptanceSec: seconds.default(1800),
  /** From here on agreements need mid-agreement payments. */
  paymentTimeoutRequiredFromSec: seconds.default(36_000),

  /** It ends an agreement that has had no activity for so long. */
  idleLimitSec: seconds.default(90),
  /** Time to pay an invoice when no payment timeout was agreed. */
  paymentDueSec: seconds.default(86_400),

  /** Simulated latencies, milliseconds. */
  offerDelayMs: seconds.default(0),
  approveMs: seconds.default(0),
  createMs: seconds.default(0),
  destroyMs: seconds.default(0),
  deployMs: seconds.default(0),
  /** When set, VMs fail to start with this message. */
  startFails: z.string().optional(),
});

export const providersSchema = z
  .array(providerSchema)
  .min(1)
  .superRefine((providers, context) => {
    providers.forEach(({ name }, index) => {
      if (providers.findIndex((other) => other.name === name) === index) return;
      context.addIssue({
        code: 'custom',
        path: [index, 'name'],
        message: `another provider is named "${name}" too`,
      });
    });
  });

export type ProviderConfig = z.input<typeof providerSchema>;
export type Provider = z.output<typeof providerSchema>;

/** Five honest providers that differ in hardware, prices and temper. */
export const DEFAULT_PROVIDERS: ProviderConfig[] = [
  {
    name: 'cheap-and-slow',
    hardware: { cpuCores: 1, cpuThreads: 1, memGib: 2, storageGib: 10, cpuBrand: 'Devnet Atom' },
    pricing: { cpuPerHour: '0.02', envPerHour: '0.01' },
  },
  {
    name: 'big-iron',
    hardware: { cpuCores: 16, cpuThreads: 32, memGib: 64, storageGib: 500, cpuBrand: 'Devnet Xeon' },
    pricing: { cpuPerHour: '0.25', envPerHour: '0.12' },
    capabilities: ['inet', 'vpn', 'manifest-support', 'start-entrypoint'],
    agreementLimit: 2,
  },
  { name: 'steady', hardware: { cpuCores: 4, cpuThreads: 4, memGib: 8, storageGib: 40 } },
  {
    name: 'pay-to-enter',
    hardware: { cpuCores: 4, cpuThreads: 8, memGib: 16, storageGib: 80 },
    pricing: { start: '0.01', cpuPerHour: '0.03', envPerHour: '0.02' },
  },
  {
    name: 'late-riser',
    hardware: { cpuCores: 2, cpuThreads: 4, memGib: 8, storageGib: 40 },
    pricing: { cpuPerHour: '0.06', envPerHour: '0.03' },
    deployMs: 300,
  },
];

/** Fills in defaults. @throws ProvidersError that lists every mistake. */
export function checkProviders(input: unknown, source = 'providers'): Provider[] {
  const checked = providersSchema.safeParse(input);
  if (checked.success) return checked.data;
  throw new ProvidersError(
    source,
    checked.error.issues.flatMap((issue) => {
      const path = issue.path.reduce<string>(
        (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
        'providers',
      );
      return issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `${path}.${key}: no such setting`)
        : [`${path}: ${issue.message}`];
    }),
  );
}

/** Reads a JSON file with a list of providers. @throws ProvidersError with one line a mistake. */
export function loadProviders(file: string): Provider[] {
  let input: unknown;
  try {
    input = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ProvidersError(file, [error instanceof Error ? error.message : String(error)]);
  }
  return checkProviders(input, file);
}

export class ProvidersError extends Error {
  constructor(
    source: string,
    readonly mistakes: readonly string[],
  ) {
    super([`${source} cannot be used:`, ...mistakes].join('\n  '));
    this.name = 'ProvidersError';
  }
}
