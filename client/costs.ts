/** What a job costs, agreement by agreement: as its settlement tells, or has told. */
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { exact, toAmount } from '../model/amount';
import { jobOfRental, settlementId, type Amount } from '../model/ids';
import type {
  AgreementMoney,
  EarlierAgreements,
  Money,
  RentalProgress,
  SettlementPhase,
  SettlementProgress,
  SettlementResult,
} from '../model/result';
import { GolemJobError, jobError, UnknownRentalError } from './errors';
import { belongsTo, JOB_TYPE, RENTAL_TYPE, type JobWorkflows } from './job-workflows';

export interface Costs {
  /** The one that was asked for. */
  id: string;
  /** Of its settlement; `settled` or `unpaid` where that is over. */
  phase: SettlementPhase;
  money: Money;
  /** Accepted and not paid yet, GLM. */
  owed: Amount;
  agreements: AgreementMoney[];
  /** Beside these, where there were thousands. */
  earlier?: EarlierAgreements;
}

/** @throws as `GolemClient.costs` */
export async function costsOf(client: Client, workflows: JobWorkflows, id: string): Promise<Costs> {
  const settlement = await settlementOf(client, workflows, id);
  const seen = await workflows.describe(settlement);
  if (!seen) throw nothingToSettle(id);
  if (seen.running) {
    const { phase, money, agreements, earlier } = await workflows.query<SettlementProgress>(
      settlement,
      'progress',
    );
    return { id, phase, money, owed: owedOf(money), agreements, earlier };
  }
  try {
    const result = (await client.workflow.getHandle(settlement).result()) as SettlementResult;
    const { state: phase, money, agreements, earlier } = result;
    return { id, phase, money, owed: owedOf(money), agreements, earlier };
  } catch (error) {
    throw error instanceof WorkflowFailedError ? jobError(id, error.cause ?? error) : error;
  }
}

/** It ended before there was anything to pay. */
export function nothingToSettle(id: string): GolemJobError {
  const why =
    'it has no settlement: it ended, or has not come to it yet, before anything was reserved; nothing is owed';
  return new GolemJobError(id, 'NothingToSettle', why);
}

/** Workflow id. @throws UnknownRentalError */
async function settlementOf(client: Client, workflows: JobWorkflows, id: string): Promise<string> {
  const seen = await workflows.describe(id);
  if (seen?.type === JOB_TYPE) {
    // One of that id may be an earlier job's.
    const own = await workflows.describe(settlementId(id));
    if (!belongsTo(own, seen)) throw nothingToSettle(id);
    return settlementId(id);
  }
  if (seen?.type !== RENTAL_TYPE) throw new UnknownRentalError(id, client.options.namespace, seen?.type);
  const rental = await workflows.query<RentalProgress>(id, 'progress');
  const ofJob = jobOfRental(id);
  return rental.settlementId ?? settlementId(ofJob ?? id);
}

function owedOf({ accepted, paid }: Money): Amount {
  return toAmount(exact(accepted).minus(exact(paid)));
}
