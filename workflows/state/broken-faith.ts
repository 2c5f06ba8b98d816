/**
 * What providers of a job have done wrong: who only failed, and may be asked again when nobody else is there, and who
 * broke faith, and is not. Pure functions over plain data.
 */
import type { RentalEnded } from '../../activities/contract';
import { BREACHES, type Breach } from '../../model/avoid';
import type { ProviderId } from '../../model/ids';
import type { ProviderInfo } from '../../model/result';

/** Something that a rental holds against its provider. */
export interface Fault {
  /**
   * `vmDied`: under `task`, or idle. `silent`: it did not answer for long. `agreementEnded`: under a running script and
   * without need. `resultsUntrue`: they cannot be the script's. `resultsUnreadable`: yagna may be to blame.
   * `vmNotRenewed`: its VM died, and no other one came up.
   */
  kind: 'vmDied' | 'silent' | 'agreementEnded' | 'resultsUntrue' | 'resultsUnreadable' | 'vmNotRenewed';
  message: string;
  task?: string;
}

export interface BrokenFaith {
  provider: ProviderInfo;
  breach: Breach;
  reason: string;
}

export interface Conduct {
  broken: BrokenFaith[];
  deaths: { provider: ProviderId; task?: string }[];
  /** Those that failed with a rental: avoided as long as others are there. */
  failed: ProviderId[];
}

/** VMs that must have died under as many different tasks before their provider is to blame, and not the tasks. */
const DEATHS = 3;

/** A job may go on for months: the oldest deaths are forgiven. */
const DEATHS_KEPT = 500;

export function goodConduct(): Conduct {
  return { broken: [], deaths: [], failed: [] };
}

/** Books a fault. @returns the breach of faith that it is, or makes full, if the provider had not broken it before */
export function bookFault(conduct: Conduct, provider: ProviderInfo, fault: Fault): BrokenFaith | undefined {
  const { kind, message, task } = fault;
  if (kind === 'vmDied') bookDeath(conduct, provider.id, task);
  else if (!conduct.failed.includes(provider.id)) conduct.failed.push(provider.id);
  if (kind === 'agreementEnded' || kind === 'resultsUntrue')
    return bookBreach(conduct, provider, kind, message);
  if (kind === 'vmDied' && deathsToBlame(conduct, provider.id) >= DEATHS) {
    return bookBreach(conduct, provider, 'vmsDied', message);
  }
  return undefined;
}

function bookDeath(conduct: Conduct, provider: ProviderId, task: string | undefined): void {
  conduct.deaths.push({ provider, task });
  if (conduct.deaths.length > DEATHS_KEPT) conduct.deaths.shift();
}

/** The settlement says whose bills it refused. */
export function bookRefusals(
  conduct: Conduct,
  refused: readonly { provider: ProviderInfo; reason: string }[],
): void {
  for (const { provider, reason } of refused) bookBreach(conduct, provider, 'billRefused', reason);
}

function bookBreach(
  conduct: Conduct,
  provider: ProviderInfo,
  breach: Breach,
  reason: string,
): BrokenFaith | undefined {
  if (brokeFaith(conduct, provider.id)) return undefined;
  const broken = { provider, breach, reason };
  conduct.broken.push(broken);
  return broken;
}

export const brokeFaith = (conduct: Conduct, id: ProviderId): boolean =>
  conduct.broken.some(({ provider }) => provider.id === id);

/** In one line, for the counts of offers that did not suit. */
export function whyBroken({ breach }: BrokenFaith): string {
  return `broke faith: ${BREACHES[breach].means}`;
}

/** A task under which VMs of several providers died is to blame itself, and counts once where it is not. */
function deathsToBlame({ deaths }: Conduct, id: ProviderId): number {
  const own = deaths.filter(({ provider }) => provider === id);
  const idle = own.filter(({ task }) => task === undefined).length;
  const tasks = new Set(own.flatMap(({ task }) => task ?? []));
  const innocent = [...tasks].filter((task) =>
    deaths.every((death) => death.task !== task || death.provider === id),
  );
  return idle + innocent.length;
}

/** Codes with which a provider says that it shuts down, or what we did not do: GAP-3's and ya-provider's. */
const EXCUSES = [
  'InitializationError',
  'NoActivity',
  'DebitNotesDeadline',
  'DebitNoteRejected',
  'DebitNoteCancelled',
  'DebitNoteNotPaid',
  'RequestorUnreachable',
  'Shutdown',
];

/** What an end of an agreement under a running script says about its provider; undefined where it had a reason. */
export function faultOfEnd(
  end: Pick<RentalEnded, 'reason' | 'terminator' | 'code' | 'expired' | 'excused'>,
): Fault | undefined {
  if (end.terminator !== 'Provider' || end.expired || end.excused || EXCUSES.includes(end.code ?? ''))
    return undefined;
  return { kind: 'agreementEnded', message: end.reason };
}
