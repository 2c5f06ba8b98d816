/** Whether an allocation may be made or amended: its timeout, and the wallet or the deposit behind it. */
import { formatNanos, nowNanos } from '../clock';
import { problem, type HttpError } from '../server/errors';
import type { JsonObject } from '../server/input';
import { Amount } from './amounts';
import { DEPOSIT_ID, depositKey, type Deposit, type Deposits } from './deposits';
import type { Payables } from './payables';
import type { Reservations } from './reservations';
import type { Wallets } from './wallets';

const TYPE = '/payment-api/v1/allocations/validation-error';

/** What the requestor asks for, and how: refusals repeat it. */
export interface Asked {
  requestor: string;
  platform: string;
  timeoutNanos: bigint | undefined;
  requestBody: JsonObject;
}

export interface AskedFromDeposit extends Asked {
  deposit: unknown;
  /** What is to come out of the deposit; of an amended allocation, how much more. */
  amount: Amount;
  /** The allocation to amend. */
  allocation?: { id: string; total: string };
}

export class AllocationChecks {
  constructor(
    private readonly wallets: Wallets,
    private readonly deposits: Deposits,
    private readonly payables: Payables,
    private readonly reservations: Reservations,
  ) {}

  /** @throws 400 when the timeout is in the past */
  timeout(asked: Asked): void {
    const { timeoutNanos } = asked;
    if (timeoutNanos === undefined || timeoutNanos >= nowNanos()) return;
    throw refusal(asked, 'timeout-passed', 'Requested allocation timeout is in the past', {
      requestedTimeout: withZone(timeoutNanos),
    });
  }

  /**
   * Free money is what neither live allocations hold nor accepted documents wait for. (yagna forgets the latter until
   * they are paid, and so lets them be reserved a second time.)
   * @throws 400 when the requestor's wallet has too little free
   */
  funds(asked: Asked, wanted: Amount): void {
    const { requestor, platform } = asked;
    const reserved = this.reservations.of(requestor, platform).plus(this.payables.owed(requestor, platform));
    const available = this.wallets.balance(requestor, platform).minus(reserved);
    if (wanted.lte(available)) return;
    const detail =
      'Insufficient funds to create the allocation. Top up your account or release all existing allocations ' +
      'to unlock the funds via `yagna payment release-allocations`';
    throw refusal(asked, 'insufficient-account-funds', detail, {
      availableFunds: available.toFixed(),
      requestedFunds: wanted.toFixed(),
      reservedFunds: reserved.toFixed(),
    });
  }

  /**
   * @returns the key of the deposit
   * @throws 400 when the deposit is not there, or not for this
   */
  deposit(asked: AskedFromDeposit): string {
    const { contract, id, validate } = asked.deposit as Record<string, unknown>;
    const { allocation, amount, timeoutNanos } = asked;
    if (!/^(0x)?[0-9a-fA-F]{40}$/.test(String(contract)))
      throw refusal(asked, 'malformed-deposit-contract', 'Invalid deposit contract address');
    if (typeof id !== 'string' || !DEPOSIT_ID.test(id))
      throw refusal(asked, 'malformed-deposit-id', 'Invalid deposit id');
    const key = depositKey(asked.platform, `0x${String(contract).replace(/^0x/, '')}`, id);
    const deposit = this.deposits.find(key);
    if (deposit?.allocationId !== undefined && deposit.allocationId !== allocation?.id) {
      const detail =
        `Submitted deposit already has a corresponding allocation ${deposit.allocationId}. ` +
        'Consider amending the allocation if the deposit has been extended';
      throw refusal(asked, 'deposit-reused', detail, { conflictingAllocationId: deposit.allocationId });
    }
    if (!deposit || deposit.closed) {
      const detail = `Deposit doesn't exist under the given id ${id}`;
      throw refusal(asked, 'no-deposit', detail, { requestedDepositId: id });
    }
    const { spender } = deposit;
    if (spender !== undefined && spender !== asked.requestor) {
      const detail = `Deposit spender ${spender} doesn't match allocation address ${asked.requestor}`;
      throw refusal(asked, 'deposit-spender-mismatch', detail, { depositSpender: spender });
    }
    const available = new Amount(deposit.amount).minus(allocation?.total ?? 0);
    if (amount.gt(available)) {
      const detail = 'Insufficient funds on the deposit for this allocation';
      const funds = { requestedFunds: amount.toFixed(), availableFunds: available.toFixed(18) };
      throw refusal(asked, 'insufficient-deposit-funds', detail, funds);
    }
    if (timeoutNanos === undefined || timeoutNanos > deposit.validToNanos) {
      const detail = 'Requested allocation timeout either not set or exceeds deposit timeout';
      throw refusal(asked, 'timeout-exceeds-deposit', detail, {
        requestedTimeout: timeoutNanos === undefined ? null : withZone(timeoutNanos),
        depositTimeout: withZone(deposit.validToNanos),
      });
    }
    const complaint = contractComplaint(deposit, validate);
    if (complaint !== undefined)
      throw refusal(asked, 'deposit-validation-error', `Deposit contract rejected the deposit: ${complaint}`);
    return key;
  }
}

/** What the contract says to the arguments with which the requestor wants the deposit validated, in wei. */
function contractComplaint({ amount }: Deposit, validate: unknown): string | undefined {
  if (validate === undefined || validate === null) return undefined;
  const terms: Record<string, string> = {
    amount: new Amount(amount).times('1e18').toFixed(0),
    flatFeeAmount: '0',
  };
  for (const [name, value] of Object.entries(validate)) {
    if (!Object.hasOwn(terms, name)) return `it knows no argument ${name}`;
    if (terms[name] !== String(value)) return `failed due to ${name} mismatch`;
  }
  return undefined;
}

function refusal(asked: Asked, name: string, detail: string, extra: object = {}): HttpError {
  const { requestor, platform, requestBody } = asked;
  return problem(400, {
    ...{ type: TYPE, detail, instance: `${TYPE}/${name}`, address: requestor, paymentPlatform: platform },
    ...{ requestBody, ...extra },
  });
}

function withZone(nanos: bigint): string {
  return formatNanos(nanos).replace('Z', '+00:00');
}
