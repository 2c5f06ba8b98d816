/** All watchers of a process share one long poll for each event stream of a yagna, which never spins. */
import { Connections, EventStreams, STREAM_POLL_SEC, YagnaError } from '../activities/yagna';
import type { AgreementEvent } from '../activities/yagna';
import { nextEvent } from './support/next-event';
import { respond, startFakeYagna } from './support/recorded-yagna';

const event = (n: number, agreementId = `agreement-${n}`): AgreementEvent => ({
  agreementId,
  eventType: 'AgreementApprovedEvent',
  eventDate: `2026-11-22T04:53:28.${String(n).padStart(6, '0')}Z`,
});

interface Poll {
  query: { afterTimestamp: string; timeoutSec: number };
  signal: AbortSignal;
  answer: (events: AgreementEvent[]) => void;
  fail: (error: unknown) => void;
}

/** A yagna whose polls the test answers, and whose pauses the test ends. */
function controlled(now = Date.parse('2026-11-22T04:53:30Z')) {
  const polls = new Queue<Poll>();
  const pauses = new Queue<{ ms: number; end: () => void }>();
  const agreementEvents = (query: Poll['query'], signal?: AbortSignal) =>
    new Promise<AgreementEvent[]>((resolve, reject) => {
      if (signal === undefined) throw new Error('a stream must be able to stop its poll');
      const stop = () => reject(signal.reason as Error);
      signal.addEventListener('abort', stop);
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          signal.removeEventListener('abort', stop);
          settle(value);
        };
      };
      polls.push({ query, signal, answer: settled(resolve), fail: settled(reject) });
    });
  const none = () => Promise.reject(new Error('not this stream'));
  const streams = new EventStreams(
    { agreementEvents, debitNoteEvents: none, invoiceEvents: none },
    {
      now: () => now,
      pause: (ms, signal) =>
        new Promise<void>((resolve, reject) => {
          const stop = () => reject(signal.reason as Error);
          signal.addEventListener('abort', stop);
          const end = () => {
            signal.removeEventListener('abort', stop);
            resolve();
          };
          pauses.push({ ms, end });
        }),
    },
  );
  return { streams, polls, pauses };
}

/** What has come, or comes. */
class Queue<T> {
  count = 0;
  private readonly waiting: T[] = [];
  private wanted: ((item: T) => void) | undefined;

  push(item: T): void {
    this.count += 1;
    if (this.wanted) {
      this.wanted(item);
      this.wanted = undefined;
    } else this.waiting.push(item);
  }

  next(): Promise<T> {
    const item = this.waiting.shift();
    return item === undefined
      ? new Promise((resolve) => {
          this.wanted = resolve;
        })
      : Promise.resolve(item);
  }
}

test('a hundred watchers cost one poll, which ends with the last of them', async () => {
  const fake = await startFakeYagna();
  const connections = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url });
  const streams = connections.streams();
  const polled = new Queue<{ answer: (body: unknown) => void; closed: Promise<void> }>();
  fake.answer = (_, response) =>
    polled.push({
      answer: (body) => respond(response, 200, body),
      closed: new Promise((resolve) => response.on('close', () => resolve())),
    });
  const heard: Promise<AgreementEvent>[] = [];
  const ends = Array.from({ length: 100 }, (_, n) => {
    heard.push(nextEvent(streams, 'agreement', (one) => one.agreementId === `agreement-${n % 2}`));
    return streams.subscribe('agreement', () => undefined);
  });
  const newest = { ...event(1), eventDate: '2100-01-01T00:00:00.000001Z' };
  (await polled.next()).answer([event(0), newest]);
  expect(new Set((await Promise.all(heard)).map((one) => one.agreementId)).size).toBe(2);
  const second = await polled.next();
  ends.forEach((end) => end());
  await second.closed;
  expect(fake.requests).toHaveLength(2);
  expect(fake.requests[0]).toMatchObject({
    path: '/market-api/v1/agreementEvents',
    query: { timeout: String(STREAM_POLL_SEC), maxEvents: '100' },
  });
  expect(fake.requests[1]?.query.afterTimestamp).toBe(newest.eventDate);
  await fake.close();
});

test('debit notes and invoices have a poll each, started only when watched', async () => {
  const fake = await startFakeYagna();
  const streams = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url }).streams();
  const eventDate = '2026-11-22T04:53:28Z';
  fake.answer = (request, response) =>
    request.path.endsWith('invoiceEvents')
      ? respond(response, 200, [{ invoiceId: 'i', eventDate, eventType: 'InvoiceReceivedEvent' }])
      : respond(response, 200, [{ debitNoteId: 'd', eventDate, eventType: 'DebitNoteReceivedEvent' }]);
  expect((await nextEvent(streams, 'invoice')).invoiceId).toBe('i');
  expect(fake.requests.every((request) => request.path === '/payment-api/v1/invoiceEvents')).toBe(true);
  expect((await nextEvent(streams, 'debitNote')).debitNoteId).toBe('d');
  await fake.close();
});

test('it starts a little before now, goes on after the newest event, and tells each event once', async () => {
  const { streams, polls, pauses } = controlled();
  const heard: string[] = [];
  const end = streams.subscribe('agreement', (one) => heard.push(one.agreementId));
  const first = await polls.next();
  expect(first.query).toEqual({ afterTimestamp: '2026-11-22T04:53:25.000Z', timeoutSec: STREAM_POLL_SEC });
  first.answer([event(5), event(4)]);
  const second = await polls.next();
  expect(second.query.afterTimestamp).toBe(event(5).eventDate);
  second.answer([event(5), event(6)]);
  const third = await polls.next();
  expect(heard).toEqual(['agreement-5', 'agreement-4', 'agreement-6']);
  // A yagna that repeats itself at once must not be asked again at once.
  third.answer([event(6)]);
  expect((await pauses.next()).ms).toBeGreaterThan(9_000);
  end();
  expect([polls.count, pauses.count]).toEqual([3, 1]);
});

test('an idle stream asks no more than once in ten seconds, however early it is answered', async () => {
  const { streams, polls, pauses } = controlled();
  const end = streams.subscribe('agreement', () => undefined);
  for (let n = 0; n < 5; n++) {
    (await polls.next()).answer([]);
    const pause = await pauses.next();
    expect(pause.ms).toBeGreaterThan(9_000);
    expect(pause.ms).toBeLessThanOrEqual(10_000);
    pause.end();
  }
  end();
});

test('a yagna that is away is asked ever more rarely, and quickly again once it is back', async () => {
  const { streams, polls, pauses } = controlled();
  const heard = nextEvent(streams, 'agreement');
  const waits: number[] = [];
  const away = new YagnaError({ kind: 'unreachable', call: 'GET', detail: 'away' });
  for (let n = 0; n < 9; n++) {
    (await polls.next()).fail(away);
    const pause = await pauses.next();
    waits.push(pause.ms);
    pause.end();
  }
  waits.forEach((ms, n) => {
    const full = Math.min(30_000, 500 * 2 ** n);
    expect(ms).toBeGreaterThanOrEqual(full / 2);
    expect(ms).toBeLessThanOrEqual(full);
  });
  (await polls.next()).answer([event(1)]);
  await heard;
  const end = streams.subscribe('agreement', () => undefined);
  (await polls.next()).fail(away);
  expect((await pauses.next()).ms).toBeLessThanOrEqual(500);
  end();
});

test('the last to leave stops the poll, the next to come starts another', async () => {
  const { streams, polls } = controlled();
  const ends = [1, 2].map(() => streams.subscribe('agreement', () => undefined));
  const first = await polls.next();
  ends[0]?.();
  expect(first.signal.aborted).toBe(false);
  ends[1]?.();
  ends[1]?.();
  expect(first.signal.aborted).toBe(true);
  const end = streams.subscribe('agreement', () => undefined);
  expect((await polls.next()).signal.aborted).toBe(false);
  end();
  expect(polls.count).toBe(2);
});

test('who comes again is not deaf because the first answer holds only what was told before', async () => {
  const { streams, polls, pauses } = controlled();
  const first = nextEvent(streams, 'agreement');
  (await polls.next()).answer([event(1)]);
  await first;
  const second = nextEvent(streams, 'agreement');
  const repeated = await polls.next();
  expect(repeated.query.afterTimestamp).toBe('2026-11-22T04:53:25.000Z');
  repeated.answer([event(1)]);
  const poll = await polls.next();
  expect(poll.query.afterTimestamp).toBe(event(1).eventDate);
  poll.answer([event(2)]);
  expect((await second).agreementId).toBe('agreement-2');
  expect(pauses.count).toBe(0);
});

test("one watcher's mistake does not deafen the others", async () => {
  const { streams, polls } = controlled();
  const end = streams.subscribe('agreement', () => {
    throw new Error('a mistake');
  });
  const heard = nextEvent(streams, 'agreement');
  (await polls.next()).answer([event(1)]);
  expect((await heard).agreementId).toBe('agreement-1');
  end();
});
