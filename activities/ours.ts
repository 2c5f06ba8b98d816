/**
 * Which agreements and documents are a job's: those that bear its mark, and those that it was given because other software
 * had rented them. yagna knows the latter under an app session that is none of ours, or under none.
 */
import type { AgreementId, Timestamp } from '../model/ids';
import type { JobRef } from './contract';
import { appSessionId, bearsMark } from './marks';
import type { Agreement, DocumentOrigin, Yagna } from './yagna';

const isGiven = ({ agreements = [] }: JobRef, agreementId: AgreementId): boolean =>
  agreements.includes(agreementId);

export function isOurs(job: JobRef, { agreementId, demand }: Agreement): boolean {
  return bearsMark(job, demand.properties) || isGiven(job, agreementId);
}

export function isOurDocument(job: JobRef, { agreementId, marked }: DocumentOrigin): boolean {
  return bearsMark(job, marked) || isGiven(job, agreementId);
}

/** Under which app session yagna is asked for the documents of the job; undefined where they are not all under one. */
export function sessionOfDocuments(job: JobRef): string | undefined {
  return job.agreements?.length ? undefined : appSessionId(job);
}

/** When the oldest of the agreements began that the job was given; undefined where it was given none. */
export async function beginningOfGiven(
  yagna: Yagna,
  { agreements = [] }: JobRef,
  signal: AbortSignal,
): Promise<Timestamp | undefined> {
  const times: number[] = [];
  for (const agreementId of agreements) {
    const agreement = await yagna.agreement(agreementId, signal);
    if (agreement) times.push(Date.parse(agreement.timestamp));
  }
  return times.length > 0 ? new Date(Math.min(...times)).toISOString() : undefined;
}
