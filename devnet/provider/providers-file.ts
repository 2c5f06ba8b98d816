/**
 * The providers of a network as a user describes them: a list, or an object with the list, a profile of latencies and
 * a scale of time. Fills in defaults, and says in one line each what is wrong.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fileProblem } from '../../model/file-problem';
import { parseJsonText } from '../../model/json-text';
import { providerSchema, type Provider, type ProviderConfig } from './config';
import { DEFAULT_PROVIDERS } from './default-providers';
import { PROFILE_NAMES, PROFILES, type Profile } from './profiles';
import { mistakeOf } from './mistakes';

const listSchema = z.array(providerSchema).min(1, 'at least one provider is needed');

const fileSchema = z.strictObject({
  profile: z.enum(PROFILE_NAMES).default('instant').meta({
    description:
      'Latencies of providers that give none: `instant` has none, `recorded` those of a recorded network.',
  }),
  timeScale: z.number().min(0.001).max(10_000).default(1).meta({
    description:
      'Divides every duration of the providers, defaults included: with 360 an engagement of ten hours is run in 100 seconds.',
  }),
  rebroadcastSec: z.number().nonnegative().optional().meta({
    description:
      "Time between two rounds in which free providers offer again to live demands, 0 for never. Default 240, and 15 in the profile `recorded`; divided by `timeScale` like the providers' durations.",
    unit: 'seconds',
  }),
  providers: listSchema.optional().meta({ description: 'The providers. Default: five different ones.' }),
});

/** A list of providers, or the whole form. */
export type ProvidersInput = ProviderConfig[] | ProvidersFile;

export interface ProvidersFile {
  /** Default `instant`. */
  profile?: Profile;
  /** Default 1. */
  timeScale?: number;
  /** Seconds, before it is divided. Default by profile. */
  rebroadcastSec?: number;
  /** Default {@link DEFAULT_PROVIDERS}. */
  providers?: ProviderConfig[];
}

/** What a network is made of, durations scaled. */
export interface DescribedProviders {
  providers: Provider[];
  rebroadcastSec: number;
}

/** JSON Schema (draft 2020-12) of a file of providers; `unit` names a number's unit. */
export function providersJsonSchema(): Record<string, unknown> {
  const either = z.union([fileSchema, listSchema]).meta({ title: 'The providers of a devnet' });
  return z.toJSONSchema(either, { io: 'input' });
}

/** Fills in defaults. @throws ProvidersError that lists every mistake. */
export function describeProviders(input: unknown, source = 'providers'): DescribedProviders {
  const form: unknown = Array.isArray(input) ? { providers: input as unknown[] } : input;
  const { profile, timeScale } = laxForm(form);
  const completed = withLatencies(form, profile);
  const checked = fileSchema.safeParse(completed);
  if (!checked.success) {
    throw new ProvidersError(
      source,
      checked.error.issues.flatMap((issue) => mistakeOf(issue, completed)),
    );
  }
  const providers = (checked.data.providers ?? []).map((provider) => scaled(provider, timeScale));
  const mistakes = contradictions(providers);
  if (mistakes.length > 0) throw new ProvidersError(source, mistakes);
  const rebroadcastSec = checked.data.rebroadcastSec ?? PROFILES[profile].rebroadcastSec;
  return { providers, rebroadcastSec: rebroadcastSec / timeScale };
}

/** The list alone. @throws ProvidersError */
export function checkProviders(input: unknown, source?: string): Provider[] {
  return describeProviders(input, source).providers;
}

/** Reads a JSON file. @throws ProvidersError with one line a mistake. */
export function loadProviders(file: string): DescribedProviders {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ProvidersError(file, [fileProblem(error)]);
  }
  let input: unknown;
  try {
    input = parseJsonText(text);
  } catch (error) {
    throw new ProvidersError(file, [`it is not JSON: ${(error as SyntaxError).message}`]);
  }
  return describeProviders(input, file);
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

/** Profile and scale where they are sound; where not, the check will say so. */
function laxForm(form: unknown): { profile: Profile; timeScale: number } {
  const { profile, timeScale } = fileSchema.shape;
  const given = isObject(form) ? form : {};
  return {
    profile: profile.safeParse(given.profile).data ?? 'instant',
    timeScale: timeScale.safeParse(given.timeScale).data ?? 1,
  };
}

/** The profile's latencies are defaults: what a provider says itself comes first. */
function withLatencies(form: unknown, profile: Profile): unknown {
  if (!isObject(form)) return form;
  const { providers = DEFAULT_PROVIDERS } = form;
  if (!Array.isArray(providers)) return form;
  const latencies = PROFILES[profile].provider;
  return {
    ...form,
    providers: providers.map((one: unknown) => (isObject(one) ? { ...latencies, ...one } : one)),
  };
}

function scaled(provider: Provider, timeScale: number): Provider {
  if (timeScale === 1) return provider;
  const settings = Object.entries(provider).map(([key, value]) => [
    key,
    // Whole microseconds: what two sides calculate from the same numbers is the same.
    key.endsWith('Sec') ? Number((Number(value) / timeScale).toFixed(6)) : value,
  ]);
  return Object.fromEntries(settings) as Provider;
}

const RANGES = [
  ['minAcceptTimeoutSec', 'acceptTimeoutSec'],
  ['minDebitNoteIntervalSec', 'debitNoteIntervalSec', 'maxDebitNoteIntervalSec'],
  ['minPaymentTimeoutSec', 'paymentTimeoutSec', 'maxPaymentTimeoutSec'],
  ['minExpirationSec', 'maxExpirationSec'],
  ['maxExpirationWithoutAcceptanceSec', 'maxExpirationSec'],
] as const;

/** What each setting alone cannot tell: names that are taken, ranges that are upside down. */
function contradictions(providers: readonly Provider[]): string[] {
  return providers.flatMap((provider, index) => {
    const { name } = provider;
    const taken = providers.findIndex((other) => other.name === name) < index;
    const upsideDown = RANGES.flatMap((range) =>
      range.slice(1).flatMap((high, i) => {
        const low = range[i];
        if (low === undefined || provider[low] <= provider[high]) return [];
        return [`providers[${index}].${low}: must not be more than ${high}`];
      }),
    );
    return [
      ...(taken ? [`providers[${index}].name: another provider is named "${name}" too`] : []),
      ...upsideDown,
    ];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
