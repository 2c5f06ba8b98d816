/** How a provider talks to a broker: what it asks it to pay, and whether it is good for an agreement before that is signed. */
import { z } from 'zod';
import type { NamedBroker } from '../../model/payer';
import type { Claim } from '../broker/release-rules';
import { Amount } from '../payment/amounts';

const PATIENCE_MS = 10_000;

const answerSchema = z.object({
  status: z.enum(['settled', 'held', 'refused', 'released']),
  reason: z.string().optional(),
});
/** `away`: nobody answers, or the broker cannot decide now. */
export type BrokerAnswer = { status: z.output<typeof answerSchema>['status'] | 'away'; reason?: string };

/** Asks for the payment of a note or invoice. A repeat is answered alike. */
export async function askBroker(url: string, claim: Claim): Promise<BrokerAnswer> {
  const [status, answer] = await call(url, '/claims', claim);
  if (status === 200) {
    const read = answerSchema.safeParse(answer);
    return read.success ? read.data : { status: 'away' };
  }
  if (status >= 400 && status < 500) return { status: 'refused', reason: messageOf(answer) };
  return { status: 'away' };
}

const brokerSchema = z.object({ address: z.string() });
const depositSchema = z.object({
  requestor: z.string(),
  platform: z.string(),
  left: z.string(),
  closed: z.boolean(),
});

/**
 * Why a provider does not rely on the broker that a requestor names.
 * @param balance what the public ledger has in its wallet
 */
export async function brokerComplaint(
  { url, address, deposit }: NamedBroker,
  asked: { requestor: string; platform: string; balance: (address: string, platform: string) => Amount },
): Promise<string | undefined> {
  if (!isOnThisMachine(url)) return `No broker is asked at ${url}: it is not on this machine`;
  const [, about] = await call(url, '/');
  const broker = brokerSchema.safeParse(about);
  if (!broker.success) return `The broker at ${url} does not answer`;
  if (broker.data.address !== address)
    return `The broker at ${url} is ${broker.data.address}, not ${address}`;
  const [status, found] = await call(url, `/deposits/${encodeURIComponent(deposit)}`);
  const held = depositSchema.safeParse(found);
  if (status === 404 || !held.success) return `The broker has no deposit ${deposit}`;
  const { requestor, platform, left, closed } = held.data;
  if (requestor !== asked.requestor) return `Deposit ${deposit} is another requestor's`;
  if (platform !== asked.platform) return `Deposit ${deposit} is on ${platform}, not on ${asked.platform}`;
  if (closed || new Amount(left).isZero()) return `Nothing is left of deposit ${deposit}`;
  if (asked.balance(address, platform).lt(left))
    return `The broker's wallet holds less than the ${left} GLM of deposit ${deposit}`;
  return undefined;
}

/** The devnet opens no connections to others, whatever a demand names. */
function isOnThisMachine(url: string): boolean {
  return URL.canParse(url) && /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(new URL(url).origin);
}

async function call(url: string, path: string, body?: object): Promise<[number, unknown]> {
  if (!isOnThisMachine(url)) return [0, undefined];
  try {
    const response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: 'error',
      ...(body && {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    return [response.status, await response.json()];
  } catch {
    return [0, undefined];
  }
}

function messageOf(answer: unknown): string {
  const { message } = (answer ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : 'the broker refuses it';
}
