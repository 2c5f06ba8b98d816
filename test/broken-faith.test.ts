/** Who broke faith, and who only failed; and the file in which workers remember the former. */
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger } from '@temporalio/worker';
import { MockActivityEnvironment } from '@temporalio/testing';
import { endOfAgreement } from '../activities/agreement-end';
import { avoidActivities } from '../activities/avoid';
import type { Agreement, Yagna } from '../activities/yagna';
import { avoided, type Breach, type ProviderAvoidStore } from '../model/avoid';
import { fileAvoidStore, prepareAvoidFile } from '../worker/avoid-file';
import {
  bookFault,
  bookRefusals,
  brokeFaith,
  faultOfEnd,
  goodConduct,
  type Conduct,
  type Fault,
} from '../workflows/state/broken-faith';
import { tempDir } from './support/temp-dir';

const provider = (name: string) => ({ id: `0x${name}`, name });

describe('a provider', () => {
  let conduct: Conduct;
  beforeEach(() => {
    conduct = goodConduct();
  });
  const fault = (kind: Fault['kind'], task?: string): Fault => ({ kind, message: 'why', task });
  const died = (name: string, task?: string) => bookFault(conduct, provider(name), fault('vmDied', task));

  test.each(['agreementEnded', 'resultsUntrue'] as const)('breaks faith by %s, once', (kind) => {
    expect(bookFault(conduct, provider('p'), fault(kind))).toEqual({
      ...{ provider: provider('p'), breach: kind, reason: 'why' },
    });
    expect(bookFault(conduct, provider('p'), fault(kind))).toBeUndefined();
    expect(conduct.broken).toHaveLength(1);
  });

  test.each(['silent', 'resultsUnreadable', 'vmNotRenewed'] as const)('only fails by %s', (kind) => {
    expect(bookFault(conduct, provider('p'), fault(kind))).toBeUndefined();
    expect(conduct).toMatchObject({ broken: [], failed: ['0xp'] });
  });

  test('whose bill was refused broke faith, however often that is told', () => {
    const refused = [{ provider: provider('p'), reason: 'too much' }];
    bookRefusals(conduct, refused);
    bookRefusals(conduct, [...refused, { provider: provider('q'), reason: 'falling' }]);
    expect(conduct.broken.map(({ breach, reason }) => [breach, reason])).toEqual([
      ['billRefused', 'too much'],
      ['billRefused', 'falling'],
    ]);
  });

  test('whose VMs died under three tasks broke faith', () => {
    expect(died('p', 'a')).toBeUndefined();
    expect(died('p', 'b')).toBeUndefined();
    expect(died('p', 'c')).toMatchObject({ breach: 'vmsDied' });
  });

  test('whose idle VMs died three times broke faith', () => {
    died('p');
    died('p');
    expect(died('p')).toMatchObject({ breach: 'vmsDied' });
  });

  test('is not to blame for a task that kills VMs, here or everywhere', () => {
    for (let i = 0; i < 5; i++) died('p', 'killer');
    expect(brokeFaith(conduct, '0xp')).toBe(false);
    for (const task of ['killer', 'another', 'third']) died('q', task);
    expect(brokeFaith(conduct, '0xq')).toBe(false);
    expect(died('q', 'fourth')).toMatchObject({ breach: 'vmsDied' });
  });

  test.each([
    ['Requestor', undefined, undefined],
    ['Provider', 'Expired', 'agreementEnded'],
    ['Provider', 'Shutdown', undefined],
    ['Provider', 'DebitNotesDeadline', undefined],
    ['Provider', undefined, 'agreementEnded'],
    ['Provider', 'BetterOffer', 'agreementEnded'],
  ])('of whose agreement the %s ended by code %s: %s', (terminator, code, kind) => {
    expect(faultOfEnd({ reason: 'why', terminator, code })?.kind).toBe(kind);
  });

  test('ends an agreement without blame when its time is over, and not by only saying so', () => {
    const end = { reason: 'why', terminator: 'Provider', code: 'Expired' };
    expect(faultOfEnd({ ...end, expired: true })).toBeUndefined();
    expect(faultOfEnd({ ...end, excused: true })).toBeUndefined();
  });

  test.each([
    ['half a minute', 30, { expired: true, excused: true }],
    ['five minutes', 300, { expired: undefined, excused: true }],
    ['an hour', 3600, { expired: undefined, excused: undefined }],
  ])('may be ahead with its clock, though not by any time: %s', async (_, leftSec, means) => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const reason = { message: 'Agreement expired', 'golem.provider.code': 'Expired' };
    const yagna: Partial<Yagna> = {
      now: () => now,
      terminationReason: async () => ({
        ...{ agreementId: 'a', eventType: 'AgreementTerminatedEvent', eventDate: '' },
        ...{ terminator: 'Provider' as const, reason },
      }),
    };
    const validTo = new Date(now + leftSec * 1000).toISOString();
    const agreement = { state: 'Terminated', validTo, offer: { providerId: '0xp', properties: {} } };
    const { signal } = new AbortController();
    const end = await endOfAgreement(yagna as Yagna, 'a', agreement as unknown as Agreement, signal);
    expect(end).toMatchObject(means);
  });
});

describe('a file of providers to avoid', () => {
  const folder = tempDir('avoid');
  const path = join(folder, 'avoid.jsonl');
  afterEach(() => rmSync(path, { recursive: true, force: true }));
  const NOW = Date.parse('2026-01-01T00:00:00Z');
  const entry = (id: string, breach: Breach = 'billRefused', nowMs = NOW) =>
    avoided({ id, name: id, breach, reason: 'why' }, nowMs);
  const lines = (): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

  test('knows nobody before it is there, and then whom it was told, in another process too', async () => {
    expect(await fileAvoidStore(path).list()).toEqual([]);
    await fileAvoidStore(path).add(entry('0xp'));
    expect(await fileAvoidStore(path).list()).toEqual([entry('0xp')]);
    expect(entry('0xp').until).toBe('2026-01-31T00:00:00.000Z');
  });

  test('takes the same once, and again when its time is over', async () => {
    const store = fileAvoidStore(path);
    await store.add(entry('0xp'));
    await store.add(entry('0xp'));
    expect(lines()).toHaveLength(1);
    const later = entry('0xp', 'billRefused', NOW + 40 * 86_400_000);
    await store.add(later);
    expect(lines()).toHaveLength(2);
    expect(await store.list()).toEqual([later]);
  });

  test('loses nothing when many write at once', async () => {
    const ids = Array.from({ length: 50 }, (_, i) => `0x${i}`);
    await Promise.all(ids.map((id) => fileAvoidStore(path).add(entry(id))));
    expect((await fileAvoidStore(path).list()).map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  test('bears a line that was cut off, and lines that are none', async () => {
    const store = fileAvoidStore(path);
    await store.add(entry('0xp'));
    appendFileSync(path, '\n# mine\n{"id":1}\n{"id":"0xq","na');
    await store.add(entry('0xr'));
    expect((await store.list()).map(({ id }) => id)).toEqual(['0xp', '0xr']);
  });

  test('is made when a worker begins, and what cannot be one is refused there', async () => {
    await prepareAvoidFile(path);
    expect(await fileAvoidStore(path).list()).toEqual([]);
    await fileAvoidStore(path).add(entry('0xp'));
    await prepareAvoidFile(path);
    expect(lines()).toHaveLength(1);

    writeFileSync(path, '{ "image": "golem/alpine:latest" }\n');
    await expect(prepareAvoidFile(path)).rejects.toThrow(/is no file of providers to avoid: give it a name/);
    await expect(prepareAvoidFile('')).rejects.toThrow('no file is named for the providers');
    await expect(prepareAvoidFile(folder)).rejects.toThrow(`cannot write ${folder}: it is a folder`);
  });

  test('that cannot be read or written says why', async () => {
    mkdirSync(path, { recursive: true });
    await expect(fileAvoidStore(path).list()).rejects.toThrow(`cannot read ${path}: it is a folder`);
    const below = join(folder, 'file', 'avoid');
    writeFileSync(join(folder, 'file'), '');
    await expect(fileAvoidStore(below).add(entry('0xp'))).rejects.toThrow(/cannot (read|write) .*avoid: /);
  });
});

describe('a store that fails', () => {
  const fails: ProviderAvoidStore = {
    list: () => Promise.reject(new Error('the disk is full')),
    add: () => Promise.reject(new Error('the disk is full')),
  };

  test('costs a line in the log, and no job', async () => {
    const logged: string[] = [];
    const logger = new DefaultLogger('WARN', ({ message }) => logged.push(message));
    const { golemAvoidProvider } = avoidActivities({ avoid: fails });
    const told = await new MockActivityEnvironment({}, { logger }).run(golemAvoidProvider, {
      job: { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' },
      ...{ provider: provider('p'), breach: 'billRefused' as const, reason: 'too much' },
    });
    expect(logged).toEqual(['provider 0xp is not remembered as one to avoid: the disk is full']);
    expect(told).toMatchObject({
      events: [{ name: 'ProviderAvoided', details: { breach: 'billRefused', until: undefined } }],
    });
  });
});
