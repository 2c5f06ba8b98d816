/** The admin API's part about money: the public ledger, the wallets, and deposits in contracts. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseRfc3339 } from '../clock';
import { isAmount } from '../payment/amounts';
import {
  DEPOSIT_ID,
  DepositExists,
  DepositHeld,
  depositKey,
  type Deposit,
  type Deposits,
} from '../payment/deposits';
import type { Ledger } from '../payment/ledger';
import { DEFAULT_PLATFORM, PLATFORMS } from '../payment/platforms';
import { InsufficientBalance, TREASURY, type Wallets } from '../payment/wallets';

export interface MoneyParts {
  ledger: Ledger;
  wallets: Wallets;
  deposits: Deposits;
  nodes: readonly { requestorIds: string[] }[];
}

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address: 0x and 40 hex digits')
  .toLowerCase();
const amount = z.string().refine(isAmount, 'must be a decimal of GLM in a string, with up to 18 decimals');
const platform = z.enum(PLATFORMS as [string, ...string[]]).default(DEFAULT_PLATFORM);

const ledgerQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).default(1000),
});

const transferBody = z.strictObject({
  from: z.union([z.literal(TREASURY), address]).default(TREASURY),
  to: z.union([z.literal(TREASURY), address]),
  amount,
  platform,
});

const depositPlace = z.strictObject({
  id: z.string().regex(DEPOSIT_ID, 'must be a number of up to 256 bits in hex'),
  contract: address,
  platform,
});

const depositBody = depositPlace.extend({
  funder: address,
  amount,
  spender: address.optional(),
  validTo: z
    .string()
    .refine((text) => parseRfc3339(text) !== undefined, 'must be a time as RFC 3339 writes it')
    .optional(),
});

export function moneyRoutes(app: FastifyInstance, parts: MoneyParts): void {
  const { ledger, wallets, deposits } = parts;

  /** A requestor that has not used its account yet has its money all the same. */
  const openOfNode = (owner: string, platform: string): void => {
    if (parts.nodes.some((node) => node.requestorIds.includes(owner))) wallets.open(owner, platform);
  };

  app.get('/ledger', (request) => {
    const { after, limit } = ledgerQuery.parse(request.query);
    return ledger.after(after, limit);
  });

  app.get('/wallets', () => wallets.list());

  // Gives a wallet money, from the treasury unless told otherwise, or takes some away.
  app.post('/transfers', (request) => {
    const transfer = transferBody.parse(request.body ?? {});
    openOfNode(transfer.from, transfer.platform);
    refusable(() => wallets.move({ kind: 'transfer', ...transfer }));
    return wallets.list().filter(({ owner }) => owner === transfer.from || owner === transfer.to);
  });

  app.get('/deposits', () => deposits.list().map(depositView));

  app.post('/deposits', (request) => {
    const { validTo, ...wanted } = depositBody.parse(request.body ?? {});
    openOfNode(wanted.funder, wanted.platform);
    const validToNanos = validTo === undefined ? undefined : parseRfc3339(validTo);
    return depositView(refusable(() => deposits.create({ ...wanted, validToNanos })));
  });

  // `contract`, and `platform` if need be, say which: ids are each contract's own.
  app.delete('/deposits/:id', (request) => {
    const place = depositPlace.parse({ ...(request.params as object), ...(request.query as object) });
    const deposit = deposits.find(depositKey(place.platform, place.contract, place.id));
    if (!deposit) {
      const message = `contract ${place.contract} has no deposit ${place.id} on ${place.platform}`;
      throw Object.assign(new Error(message), { statusCode: 404 });
    }
    return depositView(refusable(() => deposits.terminate(deposit)));
  });
}

function depositView({ key: _key, validToNanos: _nanos, ...deposit }: Deposit): object {
  return deposit;
}

/** @throws what the contract or a wallet has against it, as an answer */
function refusable<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof InsufficientBalance) throw Object.assign(error, { statusCode: 400 });
    if (error instanceof DepositExists || error instanceof DepositHeld)
      throw Object.assign(error, { statusCode: 409 });
    throw error;
  }
}
