/** What a job has cost: for eyes, and as CSV (RFC 4180) for spreadsheets, where amounts keep all digits. */
import Decimal from 'decimal.js';
import type { Costs } from '../client/index';
import type { AgreementMoney } from '../model/result';
import { unit } from './job-view';
import { tableLines } from './table';

const short = (amount: string): string => new Decimal(amount).toSignificantDigits(6).toFixed();

const COLUMNS = [
  ...['PROVIDER', 'AGREEMENT', 'STATE'].map((head) => ({ head })),
  ...['NOTES', 'ACCEPTED', 'PAID'].map((head) => ({ head, isNumber: true })),
];

export function costLines({ phase, money, owed, agreements, earlier }: Costs): string[] {
  const glm = unit(money.platform);
  const rows = agreements.map(({ provider, agreementId, state, debitNotes, accepted, paid }) => [
    ...[provider.name, agreementId.slice(0, 12), state, String(debitNotes), short(accepted), short(paid)],
  ]);
  if (earlier) {
    const { agreements: count, debitNotes, accepted, paid } = earlier;
    rows.unshift([`${count} earlier`, '', 'settled', String(debitNotes), short(accepted), short(paid)]);
  }
  return [
    ...(rows.length > 0 ? [...tableLines(COLUMNS, rows), ''] : []),
    `${phase}: ${short(money.paid)} ${glm} paid, ${short(owed)} owed, of a budget of ${short(money.budget)} on ${money.platform}`,
  ];
}

const FIELDS = [
  'agreement',
  'provider',
  'providerId',
  'state',
  'debitNotes',
  'invoiceAmount',
  'accepted',
  'paid',
  'platform',
];

export function costsCsv({ money, agreements, earlier }: Costs): string[] {
  const row = (each: AgreementMoney): string[] => {
    const { agreementId, provider, state, debitNotes, invoiceAmount = '', accepted, paid } = each;
    return [
      agreementId,
      provider.name,
      provider.id,
      state,
      String(debitNotes),
      invoiceAmount,
      accepted,
      paid,
    ];
  };
  const rows = agreements.map((each) => [...row(each), money.platform]);
  if (earlier) {
    const { debitNotes, accepted, paid } = earlier;
    rows.unshift(['', 'earlier', '', 'settled', String(debitNotes), '', accepted, paid, money.platform]);
  }
  return [FIELDS, ...rows].map((cells) => cells.map(csvCell).join(','));
}

/** A provider chooses its name: it must be no formula to a spreadsheet. */
function csvCell(value: string): string {
  const text = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
