/** What a requestor asks for with a new allocation, read from the body as yagna's parser reads it. */
import { z } from 'zod';
import { type Body, type JsonObject } from '../server/input';
import { requestedPlatform } from './platforms';

export interface AllocationRequest {
  total: string;
  platform: string;
  /** Nanoseconds since the epoch. */
  timeoutNanos: bigint | undefined;
  makeDeposit: boolean;
  deposit: WantedDeposit | undefined;
  /** Whose money it is; undefined for the caller's. */
  address: string | undefined;
  /** The whole request, as refusals repeat it. */
  echo: JsonObject;
}

/** As sent. */
export interface WantedDeposit {
  id: string;
  contract: string;
  validate?: Record<string, string> | null;
}

/** @throws 400 for wrong types, and for a platform that there is not */
export function readAllocationRequest(body: Body): AllocationRequest {
  const fields = body.object();
  const total = body.amount('totalAmount');
  const timeoutNanos = body.has('timeout') ? body.time('timeout') : undefined;
  const address = body.has('address') ? body.string('address') : undefined;
  const makeDeposit = body.boolean('makeDeposit');
  const deposit = readDeposit(body);
  const wanted = readPlatform(body);
  const echo: JsonObject = {
    address: address ?? null,
    deposit: deposit === undefined ? null : { ...deposit, validate: deposit.validate ?? null },
    extendTimeout: readExtension(body) ?? null,
    makeDeposit,
    paymentPlatform: wanted ?? null,
    timeout: timeoutNanos === undefined ? null : fields['timeout'],
    totalAmount: total,
  };
  const platform = requestedPlatform(wanted, echo);
  return { total, platform, timeoutNanos, makeDeposit, deposit, address, echo };
}

function readDeposit(body: Body): WantedDeposit | undefined {
  if (!body.has('deposit')) return undefined;
  const deposit = body.inner('deposit', 'struct Deposit');
  const [id, contract] = [deposit.string('id'), deposit.string('contract')];
  const validate = readValidation(deposit);
  return { id, contract, ...(validate === undefined ? {} : { validate }) };
}

/** The arguments with which a deposit is to be validated. */
export function readValidation(deposit: Body): WantedDeposit['validate'] {
  const { validate } = deposit.object();
  if (validate === undefined || validate === null) return validate;
  const terms = deposit.inner('validate', 'struct ValidateDepositCall');
  return Object.fromEntries(Object.keys(terms.object()).map((name) => [name, terms.string(name)]));
}

const part = z.string().nullable().default(null);
const wantedPlatform = z.union([z.string(), z.object({ driver: part, network: part, token: part })]);
/** A platform's name, or some of its parts, null where none is given. */
export type WantedPlatform = z.output<typeof wantedPlatform>;

function readPlatform(body: Body): WantedPlatform | undefined {
  if (!body.has('paymentPlatform')) return undefined;
  const read = wantedPlatform.safeParse(body.object()['paymentPlatform']);
  if (read.success) return read.data;
  const complaint = 'data did not match any variant of untagged enum PaymentPlatformEnum';
  throw body.fail(complaint, body.columnAfter('paymentPlatform'));
}

/** Seconds. */
function readExtension(body: Body): number | undefined {
  if (!body.has('extendTimeout')) return undefined;
  const value = body.object()['extendTimeout'];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw body.wrongType('extendTimeout', value, 'u64');
}
