/**
 * A payer other than the requestor's yagna, as a job spec names it: whose wallet it is, and whether what was prepaid is
 * there for the job. No Temporal activity of its own: checking a spec and reserving a budget are.
 */
import type { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { exact } from '../model/amount';
import type { Amount } from '../model/ids';
import type { NamedBroker } from '../model/payer';
import { failure } from './yagna';

const PATIENCE_MS = 20_000;

const aboutSchema = z.object({ address: z.string().regex(/^0x[0-9a-fA-F]{40}$/) });
const amount = z.string().regex(/^\d+(\.\d+)?$/);
const depositSchema = z.object({
  ...{ requestor: z.string(), platform: z.string(), left: amount, closed: z.boolean() },
});

/**
 * @throws PayerUnavailable - no answer, or one that cannot be read (retried)
 */
export async function resolvePayer(
  payer: Omit<NamedBroker, 'address'>,
  signal: AbortSignal,
): Promise<NamedBroker> {
  const about = aboutSchema.safeParse((await ask(payer.url, '/', signal)).body);
  if (!about.success) throw unavailable(payer.url, 'answers something that no broker does');
  return { ...payer, address: about.data.address.toLowerCase() };
}

/**
 * Whether a deposit with a broker is there for a job, and large enough for its budget.
 * @throws BudgetNotReserved - it is not (not retried)
 * @throws PayerUnavailable - no answer (retried)
 */
export async function checkPrepaid(
  { url, deposit }: NamedBroker,
  job: { requestor: string; platform: string; amount: Amount },
  signal: AbortSignal,
): Promise<void> {
  const refuse = (why: string): ApplicationFailure =>
    failure('BudgetNotReserved', `the broker at ${url}: ${why}`);
  const { status, body } = await ask(url, `/deposits/${encodeURIComponent(deposit)}`, signal);
  if (status === 404) throw refuse(`there is no deposit ${deposit}`);
  const read = depositSchema.safeParse(body);
  if (!read.success) throw unavailable(url, `answers ${status} when asked for deposit ${deposit}`);
  const { requestor, platform, left, closed } = read.data;
  if (requestor.toLowerCase() !== job.requestor.toLowerCase())
    throw refuse(`deposit ${deposit} is that of another requestor, ${requestor}`);
  if (platform !== job.platform)
    throw refuse(`deposit ${deposit} is on ${platform}, and the budget on ${job.platform}`);
  if (closed) throw refuse(`deposit ${deposit} is closed`);
  if (exact(left).lt(exact(job.amount)))
    throw refuse(`${left} GLM are left of deposit ${deposit}, and the budget is ${job.amount}`);
}

async function ask(
  url: string,
  path: string,
  signal: AbortSignal,
): Promise<{ status: number; body: unknown }> {
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const response = await fetch(`${url}${path}`, { signal: patience });
    if (response.status >= 500) throw unavailable(url, `answers ${response.status}`);
    return { status: response.status, body: await response.json() };
  } catch (error) {
    if (signal.aborted || (error as { type?: unknown }).type === 'PayerUnavailable') throw error;
    throw unavailable(url, 'does not answer, or nothing that can be read');
  }
}

function unavailable(url: string, what: string): ApplicationFailure {
  return failure('PayerUnavailable', `the broker at ${url} ${what}`);
}
