/** VMs on a devnet, as a bare requestor rents and uses them, and what they are billed. */
import type { Answer, Requestor } from './devnet-requestor';

export const MARKET = '/market-api/v1';
export const PAYMENT = '/payment-api/v1';
export const ACTIVITY = '/activity-api/v1/activity';

export interface Rented {
  agreementId: string;
  activityId: string;
}

export interface CommandResult {
  result: string;
  message: string | null;
}

export const shell = (text: string): object => ({ run: { entry_point: '/bin/sh', args: ['-c', text] } });
export const SLEEP: object = { run: { entry_point: '/bin/sleep', args: ['600'] } };
export const BOOT: object[] = [{ deploy: {} }, { start: {} }];

/** From nothing to a VM that is ready. */
export async function rentVm(
  requestor: Requestor,
  session = 's',
  properties: Record<string, unknown> = {},
): Promise<Rented> {
  const agreementId = await requestor.rent(session, properties);
  const activityId = await requestor.createActivity(agreementId);
  await run(requestor, activityId, BOOT);
  return { agreementId, activityId };
}

/** @returns the batch's id */
export async function send(requestor: Requestor, activityId: string, commands: object[]): Promise<string> {
  return (await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text: JSON.stringify(commands) }))
    .json as string;
}

/** Results of a script, once the last of its commands that will run is over. */
export async function run(
  requestor: Requestor,
  activityId: string,
  commands: object[],
  last = commands.length - 1,
): Promise<CommandResult[]> {
  const batchId = await send(requestor, activityId, commands);
  await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}?timeout=10&commandIndex=${last}`);
  return (await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}`)).json;
}

export async function stateOf(requestor: Requestor, activityId: string): Promise<Answer['json']> {
  return (await requestor.get(`${ACTIVITY}/${activityId}/state?timeout=0.1`)).json;
}

export async function agreementState(requestor: Requestor, agreementId: string): Promise<string> {
  return (await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.state as string;
}

/** A demand, and the first offer to it. */
export async function offered(requestor: Requestor): Promise<{ demandId: string; proposalId: string }> {
  const demandId = await requestor.subscribe();
  const [offer] = await requestor.events(demandId);
  return { demandId, proposalId: offer.proposal.proposalId as string };
}

/** An agreement that is confirmed, and how a wait for its approval is answered. */
export async function confirmed(requestor: Requestor, waitSec: number): Promise<Answer> {
  const { demandId, proposalId } = await offered(requestor);
  const draft = await requestor.negotiate(demandId, proposalId);
  const agreementId = await requestor.createAgreement(draft.proposal.proposalId as string);
  await requestor.post(`${MARKET}/agreements/${agreementId}/confirm?appSessionId=s`);
  return await requestor.post(`${MARKET}/agreements/${agreementId}/wait?timeout=${waitSec}`);
}

/** Destroys the VM and ends the agreement. */
export async function finish(requestor: Requestor, { agreementId, activityId }: Rented): Promise<void> {
  await requestor.delete(`${ACTIVITY}/${activityId}`);
  await requestor.terminate(agreementId);
}

export async function notes(requestor: Requestor): Promise<Answer['json'][]> {
  return (await requestor.get(`${PAYMENT}/debitNotes`)).json;
}

export async function invoices(requestor: Requestor): Promise<Answer['json'][]> {
  return (await requestor.get(`${PAYMENT}/invoices`)).json;
}

export async function allocations(requestor: Requestor): Promise<unknown[]> {
  return (await requestor.get(`${PAYMENT}/allocations`)).json as unknown[];
}

/** Milliseconds that something takes. */
export async function took(action: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await action();
  return performance.now() - begin;
}
