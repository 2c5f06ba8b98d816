/** yagna's market: demands, proposals, agreements. Meanings of statuses are from recordings of a real yagna. */
import { MarketApi } from 'ya-ts-client';
import { z } from 'zod';
import type { AgreementId, DemandId, ProposalId, Timestamp } from '../../model/ids';
import type { Properties } from '../../model/properties';
import { isYagnaError, unlessGone, unlessNotFound } from './errors';
import {
  longPoll,
  notNegative,
  MARKET,
  requestClass,
  route,
  type SendOptions,
  type Transport,
} from './transport';
import {
  agreementEntrySchema,
  agreementEventSchema,
  agreementSchema,
  demandEventSchema,
  demandSchema,
  idSchema,
  read,
  readEvents,
  reading,
  type Agreement,
  type AgreementEntry,
  type AgreementEvent,
  type AgreementState,
  type Demand,
  type DemandEvent,
} from './wire';

export interface DemandBody {
  properties: Properties;
  constraints: string;
}

/** yagna wants a `message`; other keys, such as `golem.requestor.code`, reach the provider too. */
export interface ReasonBody {
  message: string;
  [extra: string]: string;
}

/**
 * How a wait for approval ended. `timeout`: the provider has not answered yet, wait again. `rejected`: it said no.
 * `ended`: cancelled, expired or terminated meanwhile. The strings are yagna's words.
 */
export type Approval = 'Approved' | 'timeout' | { rejected: string } | { ended: string };

export interface MarketPort {
  demands(signal?: AbortSignal): Promise<Demand[]>;
  subscribeDemand(demand: DemandBody, signal?: AbortSignal): Promise<DemandId>;
  /** An unknown or unsubscribed demand is a success. */
  unsubscribeDemand(demandId: DemandId, signal?: AbortSignal): Promise<void>;
  /**
   * Long poll. An event is consumed by reading it.
   * @param query `maxEvents` 1 to 100, default 100
   * @throws YagnaError `notFound` - yagna does not know the demand (any more)
   */
  demandEvents(
    demandId: DemandId,
    query: { timeoutSec: number; maxEvents?: number },
    signal?: AbortSignal,
  ): Promise<DemandEvent[]>;
  /** @throws YagnaError `gone` - that proposal has been countered already */
  counterProposal(
    demandId: DemandId,
    proposalId: ProposalId,
    counter: DemandBody,
    signal?: AbortSignal,
  ): Promise<ProposalId>;

  /** @throws YagnaError `conflict` - that proposal has an agreement already */
  createAgreement(proposalId: ProposalId, validTo: Timestamp, signal?: AbortSignal): Promise<AgreementId>;
  /** @throws YagnaError `gone` - not in state Proposal (any more), or expired; read the agreement */
  confirmAgreement(agreementId: AgreementId, appSessionId: string, signal?: AbortSignal): Promise<void>;
  waitForApproval(agreementId: AgreementId, timeoutSec: number, signal?: AbortSignal): Promise<Approval>;
  /**
   * Of a pending agreement. One still in state Proposal is unknown to its provider, whom yagna asks first: that may
   * fail, and it just expires.
   * @throws YagnaError `gone` - in another state; read it
   */
  cancelAgreement(agreementId: AgreementId, reason: ReasonBody, signal?: AbortSignal): Promise<void>;
  agreement(agreementId: AgreementId, signal?: AbortSignal): Promise<Agreement | undefined>;
  agreements(
    query?: { appSessionId?: string; state?: AgreementState; afterDate?: Timestamp; beforeDate?: Timestamp },
    signal?: AbortSignal,
  ): Promise<AgreementEntry[]>;
  /**
   * Ends an approved agreement.
   * @throws YagnaError `conflict` (Proposal), `gone` with status 410 (Pending: cancel it); `gone` with status 500: the
   * provider is not there and the agreement goes on
   */
  terminateAgreement(
    agreementId: AgreementId,
    reason: ReasonBody,
    signal?: AbortSignal,
  ): Promise<'terminated' | 'alreadyEnded'>;
  /** Undefined while it is not terminated. */
  terminationReason(agreementId: AgreementId, signal?: AbortSignal): Promise<AgreementEvent | undefined>;
  /** Long poll for events after a time (exclusive), of all sessions or one. */
  agreementEvents(
    query: { afterTimestamp: Timestamp; timeoutSec: number; maxEvents?: number; appSessionId?: string },
    signal?: AbortSignal,
  ): Promise<AgreementEvent[]>;
}

const DEMAND_EVENTS = ['ProposalEvent', 'ProposalRejectedEvent'];

export function marketCalls(transport: Transport): MarketPort {
  const market = (options: SendOptions) =>
    new MarketApi.RequestorService(requestClass(transport, MARKET, options));

  return {
    async demands(signal) {
      return read(z.array(demandSchema), await market({ signal }).getDemands(), 'GET /demands');
    },

    async subscribeDemand(demand, signal) {
      return read(idSchema, await market({ signal }).subscribeDemand(demand), 'POST /demands');
    },

    async unsubscribeDemand(demandId, signal) {
      await unlessGone(market({ signal }).unsubscribeDemand(demandId));
    },

    async demandEvents(demandId, { timeoutSec, maxEvents = 100 }, signal) {
      const events = await market(longPoll(timeoutSec, signal)).collectOffers(
        demandId,
        notNegative(timeoutSec),
        maxEvents,
      );
      return readEvents(demandEventSchema, events, DEMAND_EVENTS, 'GET /demands/{id}/events');
    },

    async counterProposal(demandId, proposalId, counter, signal) {
      const id = await market({ signal }).counterProposalDemand(demandId, proposalId, counter);
      return read(idSchema, id, 'POST /demands/{id}/proposals/{id}');
    },

    async createAgreement(proposalId, validTo, signal) {
      const id = await market({ signal }).createAgreement({ proposalId, validTo });
      return read(idSchema, id, 'POST /agreements');
    },

    async confirmAgreement(agreementId, appSessionId, signal) {
      await market({ signal }).confirmAgreement(agreementId, appSessionId);
    },

    async waitForApproval(agreementId, timeoutSec, signal) {
      try {
        await market(longPoll(timeoutSec, signal)).waitForApproval(agreementId, notNegative(timeoutSec));
        return 'Approved';
      } catch (error) {
        if (isYagnaError(error, 'timeout')) return 'timeout';
        if (isYagnaError(error, 'gone') && error.status === 410) {
          return /^Rejected/.test(error.detail) ? { rejected: error.detail } : { ended: error.detail };
        }
        throw error;
      }
    },

    async cancelAgreement(agreementId, reason, signal) {
      await market({ signal }).cancelAgreement(agreementId, reason);
    },

    async agreement(agreementId, signal) {
      return await unlessNotFound(
        reading(agreementSchema, market({ signal }).getAgreement(agreementId), 'GET /agreements/{id}'),
      );
    },

    async agreements({ appSessionId, state, afterDate, beforeDate } = {}, signal) {
      const list = await market({ signal }).listAgreements(appSessionId, state, afterDate, beforeDate);
      return read(z.array(agreementEntrySchema), list, 'GET /agreements');
    },

    async terminateAgreement(agreementId, reason, signal) {
      try {
        await market({ signal }).terminateAgreement(agreementId, reason);
        return 'terminated';
      } catch (error) {
        if (isYagnaError(error, 'notFound')) return 'alreadyEnded';
        const ended = /state from (Terminated|Expired|Cancelled|Rejected) /;
        if (isYagnaError(error, 'gone') && error.status === 410 && ended.test(error.detail)) {
          return 'alreadyEnded';
        }
        throw error;
      }
    },

    async terminationReason(agreementId, signal) {
      // ya-ts-client POSTs here, where yagna serves GET.
      const at = route(`${MARKET}/agreements/{agreementId}/terminate/reason`, agreementId);
      try {
        const reason = await transport.send({ method: 'GET', ...at }, { signal });
        return read(agreementEventSchema, reason, 'GET /agreements/{id}/terminate/reason');
      } catch (error) {
        if (isYagnaError(error, 'notFound')) return undefined;
        if (isYagnaError(error, 'badRequest') && error.detail.includes('not terminated')) return undefined;
        throw error;
      }
    },

    async agreementEvents({ afterTimestamp, timeoutSec, maxEvents = 100, appSessionId }, signal) {
      const events = await market(longPoll(timeoutSec, signal)).collectAgreementEvents(
        notNegative(timeoutSec),
        afterTimestamp,
        maxEvents,
        appSessionId,
      );
      return read(z.array(agreementEventSchema), events, 'GET /agreementEvents');
    },
  };
}
