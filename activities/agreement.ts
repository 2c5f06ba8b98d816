/** Signing an agreement with a provider, and ending it. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { agreedTerms } from '../model/agreed-terms';
import type { NewEvent } from '../model/events';
import type { AgreementId, Amount, GolemActivityId } from '../model/ids';
import { providerOf, readPricing } from '../model/offer';
import type { Properties } from '../model/properties';
import { endOfAgreement, isOver } from './agreement-end';
import { attempt, RENTED } from './attempt';
import { closeAgreement } from './close-agreement';
import type { GolemActivities, JobRef, SignedAgreement, SignInput } from './contract';
import type { ActivityEnvironment } from './environment';
import { event, vmDestroyed } from './events';
import { appSessionId, bearsMark, markedValidTo, sameTime } from './marks';
import { isVain } from './patience';
import { waitFor } from './wait';
import { failure, isYagnaError, toFailure, type Agreement, type Yagna } from './yagna';

/** One wait for the provider's answer, and how many. */
const APPROVAL_POLL_SEC = 20;
const APPROVAL_POLLS = 3;
/** A proposal that yagna fails to sign so often, being well itself, is not signed at all. */
const ENOUGH_ATTEMPTS = 20;
/** Longest time in which an agreement is ended that nobody wants any more. */
const ENDING_MS = 30_000;
/** Requests to end a VM; a provider that is silent to them all gets no second chance. */
const DESTROY_TRIES = 3;

export function agreementActivities(
  env: ActivityEnvironment,
): Pick<GolemActivities, 'golemSignAgreement' | 'golemCloseRental' | 'golemDestroyVm'> {
  const yagnaOf = (job: JobRef): Yagna => env.connections.get(job.connection);

  return {
    /**
     * Signs an agreement for a draft proposal and waits for the provider's answer.
     *
     * Effect: one agreement, confirmed under the job's app session.
     * Retry: yagna allows one agreement a proposal; the one of an earlier attempt is found by its mark and `validTo`,
     * and signing goes on from the state it has.
     * Cancelled: what it has made is ended, if yagna and the provider answer.
     * @throws AgreementRejected - the provider said no, or nothing; take the next proposal (not retried). Its details
     * are the events to tell.
     * @throws YagnaUnavailable, YagnaUnauthorized - (retried with backoff: while yagna is away, until the agreement's end)
     */
    async golemSignAgreement(input) {
      return await attempt(async ({ signal, retried, number }) => {
        const yagna = yagnaOf(input.job);
        const events: NewEvent[] = [];
        try {
          const signed = await sign(yagna, input, retried, events, signal);
          return { ...signed, events, retried };
        } catch (error) {
          if (signal.aborted) await endUnwanted(yagna, events);
          const vain = isVain(yagna, number, ENOUGH_ATTEMPTS) || Date.now() > Date.parse(input.validTo);
          const failed = toFailure(error, NOT_SIGNED);
          const last = vain && isYagnaError(error) ? failure('AgreementRejected', failed.message) : failed;
          if (!(last instanceof ApplicationFailure) || last.type !== 'AgreementRejected') throw error;
          throw withEvents(last, input.proposal, events);
        }
      }, RENTED);
    },

    /**
     * Ends a Golem activity and leaves its agreement as it is, for a fresh VM under it.
     *
     * Effect: the VM is gone.
     * Retry: a destroyed or unknown one is a success.
     * @throws VmLost - the provider does not answer (not retried)
     * @throws YagnaUnavailable, YagnaUnauthorized - (retried with backoff)
     * @returns the end of the agreement, when that is over too
     */
    async golemDestroyVm({ job, agreementId, activityId }) {
      return await attempt(async ({ signal }) => {
        const yagna = yagnaOf(job);
        await destroyVm(yagna, activityId, signal);
        const agreement = await yagna.agreement(agreementId, signal);
        const events = vmDestroyed(activityId, agreementId, agreement && providerOf(agreement.offer));
        if (!isOver(yagna, agreement)) return { events };
        const ended = await endOfAgreement(yagna, agreementId, agreement, signal);
        return { ended, events: [...events, ...ended.events] };
      }, RENTED);
    },

    /**
     * Destroys the Golem activities of an agreement and terminates it.
     *
     * Effect: nothing of the agreement costs anything any more.
     * Retry: what is ended already is a success, and told if it was ended for the same reason. A silent provider is
     * asked again until the agreement has expired.
     * @throws YagnaUnavailable - the provider or yagna does not answer (retried with backoff)
     */
    async golemCloseRental({ job, agreementId, reason, isBroken, maybeDone = false }) {
      return await attempt(async ({ signal, retried }) => {
        const closing = { signal, retried: retried || maybeDone, isBroken };
        return { events: await closeAgreement(yagnaOf(job), agreementId, reason, closing) };
      }, RENTED);
    },
  };
}

/** @throws VmLost - the provider does not answer, or yagna, being there, cannot reach it */
async function destroyVm(yagna: Yagna, activityId: GolemActivityId, signal: AbortSignal): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await yagna.destroyGolemActivity(activityId, signal);
    } catch (error) {
      if (!isYagnaError(error, 'timeout', 'server') || error.isAway) throw error;
      if (tries >= DESTROY_TRIES) throw failure('VmLost', error.message);
      await waitFor(signal).next(1000);
    }
  }
}

/** yagna knows no such proposal, or it has lapsed. */
const NOT_SIGNED = {
  badRequest: 'AgreementRejected',
  notFound: 'AgreementRejected',
  gone: 'AgreementRejected',
} as const;

/** Adds to `events` as it goes, for they are told of an agreement that comes to nothing, too. */
async function sign(
  yagna: Yagna,
  input: SignInput,
  retried: boolean,
  events: NewEvent[],
  signal: AbortSignal,
): Promise<Omit<SignedAgreement, 'events' | 'retried'>> {
  const { job, proposal } = input;
  const { proposalId, provider } = proposal;
  const validTo = markedValidTo(job, proposalId, input.validTo);
  const agreementId = await createOrFind(yagna, input, validTo, retried, signal);
  events.push(event('AgreementCreated', { id: agreementId, proposalId, provider, validTo }));
  const approved = await approve(yagna, job, agreementId, signal);
  const approvedAt = approved.approvedDate ?? new Date().toISOString();
  const pricing = pricesTold(approved.offer.properties);
  events.push(event('AgreementConfirmed', { id: agreementId, provider, approvedDate: approvedAt, pricing }));
  return { agreementId, approvedAt, validToMs: Date.parse(approved.validTo), terms: agreedTerms(approved) };
}

/** Agreed prices as users are told them, GLM; nothing where they cannot be read. */
function pricesTold(
  properties: Properties,
): { startPrice: Amount; cpuPerSec: Amount; envPerSec: Amount } | undefined {
  const reading = readPricing(properties);
  if (!reading.ok) return undefined;
  const { startPrice, cpuPerSec, envPerSec } = reading.pricing;
  return { startPrice, cpuPerSec, envPerSec };
}

/** Nobody waits for the agreement any more. */
async function endUnwanted(yagna: Yagna, [created]: NewEvent[]): Promise<void> {
  // A worker that shuts down leaves it to the next attempt.
  if (!created || !Context.current().cancellationDetails?.cancelRequested) return;
  const closing = { signal: AbortSignal.timeout(ENDING_MS), retried: false };
  try {
    await closeAgreement(yagna, String(created.details.id), { message: 'the rental was closed' }, closing);
  } catch {
    // Then the settlement ends it, after the job.
  }
}

/** What a failed activity returns is lost, so a rejection carries its events as details. */
function withEvents(
  failed: ApplicationFailure,
  { proposalId, provider }: SignInput['proposal'],
  events: NewEvent[],
): ApplicationFailure {
  const { message } = failed;
  const id = events[0]?.details.id;
  const rejected = event('AgreementRejected', { id, proposalId, provider, reason: message });
  return failure('AgreementRejected', message, [...events, rejected]);
}

async function createOrFind(
  yagna: Yagna,
  input: SignInput,
  validTo: string,
  retried: boolean,
  signal: AbortSignal,
): Promise<AgreementId> {
  if (retried) {
    const found = await findAgreement(yagna, input, validTo, signal);
    if (found) return found;
  }
  try {
    return await yagna.createAgreement(input.proposal.proposalId, validTo, signal);
  } catch (error) {
    if (!isYagnaError(error, 'conflict')) throw error;
    const found = await findAgreement(yagna, input, validTo, signal);
    if (found) return found;
    throw failure('AgreementRejected', 'the proposal has an agreement of somebody else');
  }
}

async function findAgreement(
  yagna: Yagna,
  { job, proposal }: SignInput,
  validTo: string,
  signal: AbortSignal,
): Promise<AgreementId | undefined> {
  const entries = [
    ...(await yagna.agreements({ state: 'Proposal' }, signal)),
    ...(await yagna.agreements({ appSessionId: appSessionId(job) }, signal)),
  ];
  for (const { id } of entries) {
    const agreement = await yagna.agreement(id, signal);
    if (!agreement || !bearsMark(job, agreement.demand.properties)) continue;
    if (agreement.offer.providerId.toLowerCase() !== proposal.provider.id) continue;
    if (sameTime(agreement.validTo, validTo)) return id;
  }
  return undefined;
}

/** Confirms, from whatever state it finds, and waits for the provider. */
async function approve(
  yagna: Yagna,
  job: JobRef,
  agreementId: AgreementId,
  signal: AbortSignal,
): Promise<Agreement> {
  try {
    await yagna.confirmAgreement(agreementId, appSessionId(job), signal);
  } catch (error) {
    // Confirmed before, or past that: its state says which.
    if (!isYagnaError(error, 'gone')) throw error;
  }
  for (let polls = 0; polls < APPROVAL_POLLS; polls++) {
    const agreement = await yagna.agreement(agreementId, signal);
    if (agreement?.state === 'Approved') return agreement;
    if (agreement?.state !== 'Pending') break;
    const answer = await yagna.waitForApproval(agreementId, APPROVAL_POLL_SEC, signal);
    if (typeof answer === 'object') break;
  }
  const last = await yagna.agreement(agreementId, signal);
  if (last?.state === 'Approved') return last;
  if (last?.state === 'Pending' || last?.state === 'Proposal') {
    try {
      await yagna.cancelAgreement(agreementId, { message: 'no answer in time' }, signal);
    } catch (error) {
      if (!isYagnaError(error, 'gone', 'conflict', 'badRequest')) throw error;
      const now = await yagna.agreement(agreementId, signal);
      if (now?.state === 'Approved') return now;
    }
    throw failure('AgreementRejected', 'the provider did not answer in time');
  }
  throw failure('AgreementRejected', `the agreement is ${last?.state ?? 'unknown'}`);
}
