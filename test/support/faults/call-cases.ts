/** Faults on requests: before the call takes effect, once it has, and to the provider that it is about. */
import {
  ACTIVITY,
  agreementState,
  allocations,
  MARKET,
  PAYMENT,
  rentVm,
  send,
  shell,
  SLEEP,
  stateOf,
  took,
} from '../devnet-vm';
import { lost, type FaultCase } from './fault-case';

const GONE = 'GSB failure: Bad request: endpoint address not found';

export const CALL_CASES: readonly FaultCase[] = [
  {
    fault: { on: 'createAllocation', do: 'delay', sec: 0.3 },
    what: 'makes a request wait longer than its client does; it takes effect then',
    async play({ requestor, devnet, arm }) {
      const armed = arm();
      const client = new AbortController();
      const impatient = fetch(`${requestor.url}${PAYMENT}/allocations`, {
        method: 'POST',
        headers: { authorization: `Bearer ${requestor.appKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ totalAmount: '1' }),
        signal: client.signal,
      });
      const isRefused = expect(impatient).rejects.toThrow('aborted');
      await armed.hit();
      expect(devnet.effects.all(0, ['allocation-created'])).toEqual([]);
      client.abort();
      await isRefused;
      await requestor.effect('allocation-created');
      expect(await allocations(requestor)).toHaveLength(1);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'dropBefore' },
    what: 'cuts the connection before the effect',
    shows: ['connection reset before the effect'],
    async play({ requestor, arm }) {
      arm();
      await lost(requestor.allocate());
      expect(await allocations(requestor)).toHaveLength(0);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'dropAfter' },
    what: 'cuts the connection after the effect',
    shows: ['connection reset after the effect'],
    async play({ requestor, arm }) {
      arm();
      await lost(requestor.allocate());
      expect(await allocations(requestor)).toHaveLength(1);
      await requestor.allocate();
      expect(await allocations(requestor)).toHaveLength(2);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'answer', status: 504, body: { message: 'too late' } },
    what: 'answers without the effect',
    shows: ['504'],
    async play({ requestor, arm }) {
      arm();
      expect(await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '1' })).toMatchObject({
        ...{ status: 504, contentType: 'application/json', json: { message: 'too late' } },
      });
      expect(await allocations(requestor)).toHaveLength(0);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'answerAfter', status: 500, body: 'boom' },
    what: 'answers something else than what has happened',
    async play({ requestor, arm }) {
      arm();
      expect(await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '1' })).toMatchObject({
        ...{ status: 500, contentType: 'text/plain; charset=utf-8', text: 'boom' },
      });
      expect(await allocations(requestor)).toHaveLength(1);
    },
  },
  {
    fault: { on: 'getVersion', do: 'answer', status: 200, body: { current: { version: '0.12.3' } } },
    what: 'answers in the place of another yagna',
    shows: ['old yagna version', 'unparseable yagna version', '503'],
    async play({ requestor, devnet, arm }) {
      arm();
      const version = async (): Promise<[number, string]> => {
        const { status, text } = await requestor.get('/version/get');
        return [status, text];
      };
      expect(await version()).toEqual([200, '{"current":{"version":"0.12.3"}}']);
      devnet.faults.arm({ on: 'getVersion', do: 'answer', status: 200, body: '{"version": "0.1"' });
      expect(await version()).toEqual([200, '{"version": "0.1"']);
      devnet.faults.arm({ on: 'getVersion', do: 'answer' });
      expect((await version())[0]).toBe(503);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'delayAfter', sec: 0.2 },
    what: 'lets the answer wait when the effect has happened',
    async play({ requestor, arm }) {
      arm();
      const created = took(async () => expect(await requestor.allocate()).toMatch(/^[0-9a-f-]{36}$/));
      await requestor.effect('allocation-created');
      expect(await allocations(requestor)).toHaveLength(1);
      expect(await created).toBeGreaterThan(190);
    },
  },
  {
    fault: { on: 'getVersion', do: 'stopNode' },
    what: 'takes the node down',
    async play({ requestor, devnet, arm }) {
      arm();
      await lost(requestor.get('/version/get'));
      await lost(requestor.get('/version/get'));
      await devnet.node('requestor').start();
      expect((await requestor.get('/version/get')).status).toBe(200);
    },
  },
  {
    fault: { on: 'collectOffers', do: 'restartNode' },
    what: 'takes the node down and up again before the effect; what it forgets is forgotten',
    shows: ['daemon restart', 'subscription gone (404)'],
    async play({ requestor, devnet, arm }) {
      const demandId = await requestor.subscribe();
      arm();
      await lost(requestor.events(demandId, 0));
      await devnet.node('requestor').start();
      expect((await requestor.get(`${MARKET}/demands/${demandId}/events?timeout=0`)).status).toBe(404);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'restartNodeAfter' },
    what: 'takes the node down and up again after the effect',
    async play({ requestor, devnet, arm }) {
      arm();
      await lost(requestor.allocate());
      await devnet.node('requestor').start();
      expect(await allocations(requestor)).toHaveLength(1);
    },
  },
  {
    fault: { on: 'getActivityState', do: 'cut', sec: 0.2 },
    what: 'cuts the node off from the provider, for a while',
    shows: ['network cut and back', '408'],
    async play({ requestor, devnet, arm }) {
      const { activityId } = await rentVm(requestor);
      arm();
      const state = (): ReturnType<typeof requestor.get> =>
        requestor.get(`${ACTIVITY}/${activityId}/state?timeout=0`);
      const restored = devnet.effects.next('link-restored');
      expect(await state()).toMatchObject({ status: 408, json: { message: 'Timeout' } });
      await restored;
      expect(await state()).toMatchObject({ status: 200, json: { state: ['Ready', null] } });
    },
  },
  {
    fault: { on: 'createAllocation', do: 'cut' },
    what: 'cuts the node off from everybody where the call is about nobody',
    async play({ requestor, devnet, arm }) {
      arm();
      await requestor.allocate();
      expect(devnet.links.state().cuts).toEqual([{ node: 'requestor', provider: undefined }]);
      expect(await requestor.events(await requestor.subscribe(), 0)).toEqual([]);
    },
  },
  {
    fault: { on: 'exec', do: 'crash', sec: 0.2 },
    what: 'crashes the provider in the middle of a call, for a while: it forgets what it had',
    shows: ['provider dies mid-task and the agreement stays unpaid'],
    options: {
      providers: [
        { name: 'one', idleLimitSec: 1.5, minDebitNoteIntervalSec: 0.1, debitNoteIntervalSec: 0.1 },
      ],
    },
    async play({ requestor, devnet, arm }) {
      const rented = await rentVm(requestor);
      await send(requestor, rented.activityId, [SLEEP]);
      arm({ nth: 1 });
      const revived = devnet.effects.next('provider-revived');
      const sent = await requestor.post(`${ACTIVITY}/${rented.activityId}/exec`, { text: '[]' });
      expect(sent.json.message).toContain(GONE);
      expect(await revived).toMatchObject({ provider: 'one', cause: 'end of the crash' });
      const { seq } = devnet.effects.all().at(-1)!;
      // A newcomer gets an offer, and the rental that was there has no future.
      await rentVm(requestor, 'other');
      expect(await agreementState(requestor, rented.agreementId)).toBe('Approved');
      await requestor.terminate(rented.agreementId);
      await requestor.effect('agreement-terminated', seq);
      const billed = devnet.effects.all(seq, ['debit-note-issued', 'invoice-issued']);
      expect(billed.filter((effect) => effect.agreementId === rented.agreementId)).toEqual([]);
    },
  },
  {
    fault: { on: 'createAllocation', do: 'crash', provider: 'one' },
    what: 'crashes the provider that it names where the call is about nobody',
    async play({ requestor, devnet, arm }) {
      arm();
      await requestor.allocate();
      expect(devnet.links.state().crashed).toEqual(['one']);
      expect(devnet.effects.all(0, ['fault'])).toMatchObject([{ on: 'createAllocation', provider: 'one' }]);
    },
  },
  {
    fault: { on: 'getActivityState', do: 'freeze', sec: 0.2 },
    what: 'freezes the provider, for a while',
    async play({ requestor, devnet, arm }) {
      const { activityId } = await rentVm(requestor);
      arm();
      const thawed = devnet.effects.next('provider-thawed');
      expect((await requestor.get(`${ACTIVITY}/${activityId}/state?timeout=0`)).status).toBe(408);
      expect(await thawed).toMatchObject({ provider: 'one', cause: 'end of the freeze' });
      expect(await stateOf(requestor, activityId)).toEqual({ state: ['Ready', null] });
    },
  },
  {
    fault: { on: 'getExecBatchResults', do: 'killVms' },
    what: 'kills the exe-unit under a poll; the provider goes on',
    shows: ['batch poll 500 "endpoint address not found" with the activity Terminated'],
    async play({ requestor, arm }) {
      const { agreementId, activityId } = await rentVm(requestor);
      const path = `${ACTIVITY}/${activityId}/exec/${await send(requestor, activityId, [SLEEP])}`;
      arm();
      expect((await requestor.get(`${path}?timeout=0.1`)).status).toBe(408);
      await requestor.effect('activity-destroyed');
      expect(await requestor.get(path)).toMatchObject({
        ...{ status: 500, json: { message: expect.stringContaining(GONE) } },
      });
      expect(await stateOf(requestor, activityId)).toEqual({
        ...{ state: ['Terminated', null], reason: 'execution aborted', errorMessage: 'exit code None' },
      });
      expect(await requestor.createActivity(agreementId)).toMatch(/^[0-9a-f]{32}$/);
    },
  },
  {
    fault: {
      ...{ on: 'getExecBatchResults', do: 'answer', status: 500 },
      body: { message: `GSB error: Remote service at \`/net/0x0/exeunit\` error: ${GONE}` },
    },
    what: 'answers that nobody is there while the VM runs',
    shows: ['batch poll 500 "endpoint address not found" with the activity running'],
    async play({ requestor, arm }) {
      const { activityId } = await rentVm(requestor);
      arm();
      const batchId = await send(requestor, activityId, [shell('exit 0')]);
      expect((await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}`)).json.message).toContain(GONE);
      expect((await stateOf(requestor, activityId)).state[0]).toBe('Ready');
    },
  },
  {
    fault: { on: 'terminateAgreement', do: 'delay', sec: 0.5 },
    what: 'lets the provider end the agreement first',
    shows: ['terminate race (410)'],
    async play({ requestor, devnet, arm }) {
      const agreementId = await requestor.rent();
      const armed = arm();
      const terminating = requestor.terminate(agreementId);
      await armed.hit();
      await devnet.shutDownProvider('one');
      expect(await terminating).toMatchObject({
        status: 410,
        json: { message: "Can't update Agreement state from Terminated to Terminated." },
      });
    },
  },
];
