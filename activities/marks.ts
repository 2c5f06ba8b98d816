/** The marks by which everything we create on yagna is found again and known to be ours. */
import { createHash } from 'node:crypto';
import type { ControlKey } from '../model/control';
import { PROP, type Properties } from '../model/properties';
import type { Timestamp } from '../model/ids';
import type { JobRef } from './contract';

/** Filters agreements and documents on yagna; known to it from an agreement's confirmation on. */
export function appSessionId(job: Pick<JobRef, 'owner' | 'jobUuid'>): string {
  return `${job.owner}/${job.jobUuid}`;
}

/** Value of `golem.temporal.mark` in the job's n-th demand; of a closed job it ends with a hash of its owner's key. */
export function demandMark(job: JobRef, n: number): string {
  const mark = `${job.owner}/${job.jobUuid}/${n}`;
  return job.controlOwner === undefined ? mark : `${mark}/${controlHash(job.controlOwner)}`;
}

/** SHA-256 in hex: enough that nobody finds another key for it. */
export function controlHash(owner: ControlKey): string {
  return createHash('sha256').update(owner).digest('hex');
}

/** Of the owner's key in the mark of a demand, whoever's it is; undefined where it is open to everybody. */
export function controlHashOfMark(properties: Properties): string | undefined {
  const mark = properties[PROP.mark];
  return typeof mark === 'string' ? /\/([0-9a-f]{64})$/.exec(mark)?.[1] : undefined;
}

export function bearsMark(job: JobRef, properties: Properties): boolean {
  const mark = properties[PROP.mark];
  return typeof mark === 'string' && mark.startsWith(`${job.owner}/${job.jobUuid}/`);
}

/** A run id of Temporal's. */
const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The jobUuid in the mark of a demand, if that is one of the owner's. */
export function jobOfMark(owner: string, properties: Properties): string | undefined {
  const mark = properties[PROP.mark];
  if (typeof mark !== 'string' || !mark.startsWith(`${owner}/`)) return undefined;
  const [jobUuid = '', n, control, ...rest] = mark.slice(owner.length + 1).split('/');
  const isMark = n !== undefined && (control === undefined || /^[0-9a-f]{64}$/.test(control));
  return RUN_ID.test(jobUuid) && isMark && rest.length === 0 ? jobUuid : undefined;
}

/** Whole second at which an allocation ends, if its `timeout` bears the job's mark. */
export function endOfAllocation(
  job: Pick<JobRef, 'owner' | 'jobUuid'>,
  timeout: Timestamp,
): number | undefined {
  const endsAtSec = Math.floor(Date.parse(timeout) / 1000);
  return sameTime(allocationTimeout(job, endsAtSec), timeout) ? endsAtSec : undefined;
}

/** A number below `below` that the same words always give. */
export function checksum(below: number, ...words: (string | number)[]): number {
  return createHash('sha256').update(words.join('|')).digest().readUIntBE(0, 6) % below;
}

/** An allocation has no room for text: its `timeout` carries the mark in its microseconds. */
export function allocationTimeout(job: Pick<JobRef, 'owner' | 'jobUuid'>, endsAtSec: number): Timestamp {
  const micros = checksum(1_000_000, endsAtSec, job.owner, job.jobUuid);
  return new Date(endsAtSec * 1000).toISOString().replace('.000Z', `.${String(micros).padStart(6, '0')}Z`);
}

/** The end of an agreement, to the millisecond as given, with microseconds that mark the rental. */
export function markedValidTo(job: JobRef, proposalId: string, validTo: Timestamp): Timestamp {
  const micros = checksum(1000, job.owner, job.jobUuid, proposalId);
  return new Date(validTo).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
}

/** Equal to the nanosecond, however many zeros are written. */
export function sameTime(a: Timestamp, b: Timestamp): boolean {
  return Math.floor(Date.parse(a) / 1000) === Math.floor(Date.parse(b) / 1000) && nanos(a) === nanos(b);
}

function nanos(timestamp: Timestamp): string {
  return (/\.(\d+)/.exec(timestamp)?.[1] ?? '').slice(0, 9).padEnd(9, '0');
}
