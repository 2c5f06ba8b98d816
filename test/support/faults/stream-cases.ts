/** Faults that act after the call, on answers that are streams of events. */
import type { Requestor } from '../devnet-requestor';
import { ACTIVITY, rentVm, send, shell, took } from '../devnet-vm';
import type { FaultCase } from './fault-case';

/** Writes a line until it is told to stop, which it never is. */
const TICKING = {
  run: {
    entry_point: '/bin/sh',
    args: ['-c', 'while :; do echo tick; sleep 0.05; done'],
    capture: { stdout: { stream: {} }, stderr: { stream: {} } },
  },
};
const MONITOR = '/activity-api/v1/_monitor';

export const STREAM_CASES: readonly FaultCase[] = [
  {
    fault: { on: 'getExecBatchResults', do: 'dropAfter' },
    what: 'cuts a stream of results after its first event',
    async play({ requestor, arm }) {
      const path = await tickingScript(requestor);
      arm();
      const text = await read(requestor, path);
      expect(text).toMatch(/^event: runtime\ndata: .*"tick.*\n(id: 0\n\n)/);
      expect(text).toMatch(/\[terminated\]$/);
    },
  },
  {
    fault: { on: 'getExecBatchResults', do: 'dropAfter' },
    what: 'cuts a stream in which nothing happens',
    async play({ requestor, arm }) {
      const { activityId } = await rentVm(requestor);
      const batchId = await send(requestor, activityId, [shell('true')]);
      await requestor.effect('script-finished', (await requestor.effect('script-finished')).seq);
      arm();
      expect(await read(requestor, `${ACTIVITY}/${activityId}/exec/${batchId}`)).toBe('[terminated]');
    },
  },
  {
    fault: { on: 'monitorActivities', do: 'dropAfter' },
    what: 'cuts the stream of activities after its first event',
    async play({ requestor, arm }) {
      arm();
      expect(await read(requestor, MONITOR)).toMatch(/^data: .*"activities":\[\].*\r\n\r\n\[terminated\]$/);
    },
  },
  {
    fault: { on: 'monitorActivities', do: 'restartNodeAfter' },
    what: 'takes the node down and up again after the first event of a stream',
    async play({ requestor, devnet, arm }) {
      arm();
      const started = devnet.effects.next('node-started');
      expect(await read(requestor, MONITOR)).toMatch(/^data: .*\[terminated\]$/s);
      await started;
      expect((await requestor.get('/version/get')).status).toBe(200);
    },
  },
  {
    fault: { on: 'getExecBatchResults', do: 'answerAfter', status: 500, body: 'no stream today' },
    what: 'answers in the place of a stream',
    async play({ requestor, arm }) {
      const path = await tickingScript(requestor);
      arm();
      expect(await requestor.get(path, { accept: 'text/event-stream' })).toMatchObject({
        ...{ status: 500, contentType: 'text/plain; charset=utf-8', text: 'no stream today' },
      });
    },
  },
  {
    fault: { on: 'getExecBatchResults', do: 'delayAfter', sec: 0.4 },
    what: 'keeps a stream back, and then sends what has gathered',
    async play({ requestor, arm }) {
      const path = await tickingScript(requestor);
      arm();
      let events = '';
      expect(await took(async () => (events = await read(requestor, path, 4)))).toBeGreaterThan(350);
      expect(events.match(/tick/g)?.length).toBeGreaterThan(3);
    },
  },
];

async function tickingScript(requestor: Requestor): Promise<string> {
  const { activityId } = await rentVm(requestor);
  return `${ACTIVITY}/${activityId}/exec/${await send(requestor, activityId, [TICKING])}`;
}

/** What a stream sends, until it has sent so many events or ends; how it ended, if it did, in brackets. */
async function read(requestor: Requestor, path: string, events = Infinity): Promise<string> {
  const response = await fetch(`${requestor.url}${path}`, {
    headers: { authorization: `Bearer ${requestor.appKey}`, accept: 'text/event-stream' },
  });
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if ((text.match(/^id: /gm)?.length ?? 0) >= events) return text;
    }
    return `${text}[end]`;
  } catch (error) {
    return `${text}[${(error as Error).message}]`;
  }
}
