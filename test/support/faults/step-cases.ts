/** Faults on what a provider does before it bills: offer, negotiate, approve, create, carry out, destroy. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultInput } from '../../../devnet';
import { PROP } from '../../../model/properties';
import type { Requestor } from '../devnet-requestor';
import {
  ACTIVITY,
  BOOT,
  confirmed,
  offered,
  rentVm,
  run,
  send,
  shell,
  SLEEP,
  stateOf,
  took,
  type CommandResult,
} from '../devnet-vm';
import { tempDir } from '../temp-dir';
import type { FaultCase } from './fault-case';

const SCRIPT = [...BOOT, shell('true')];

const SHOWN_BY_FAILURE: Record<string, FaultCase['shows']> = {
  deploy: ['deploy fails'],
  run: ['command fails'],
};

export const STEP_CASES: readonly FaultCase[] = [
  {
    fault: { on: 'provider.offer', do: 'withhold' },
    what: 'makes no offer to a demand',
    async play({ requestor, arm }) {
      arm();
      expect(await requestor.events(await requestor.subscribe(), 0)).toEqual([]);
      expect(await requestor.events(await requestor.subscribe(), 0)).toHaveLength(1);
    },
  },
  {
    fault: { on: 'provider.offer', do: 'delay', sec: 0.2 },
    what: 'offers late',
    async play({ requestor, arm }) {
      arm();
      const offered = async (): Promise<unknown[]> => await requestor.events(await requestor.subscribe());
      expect(await took(async () => expect(await offered()).toHaveLength(1))).toBeGreaterThan(190);
    },
  },
  {
    fault: { on: 'provider.negotiate', do: 'refuse', message: 'not you', isFinal: true },
    what: 'refuses a counter-proposal for good',
    async play({ requestor, arm }) {
      arm();
      const { demandId, proposalId } = await offered(requestor);
      expect(await requestor.negotiate(demandId, proposalId)).toMatchObject({
        eventType: 'ProposalRejectedEvent',
        reason: { message: 'not you', 'golem.proposal.rejection.is-final': true },
      });
    },
  },
  {
    fault: { on: 'provider.negotiate', do: 'withhold' },
    what: 'does not answer a counter-proposal',
    async play({ requestor, arm }) {
      arm();
      const { demandId, proposalId } = await offered(requestor);
      const terms = requestor.terms({ 'golem.com.payment.chosen-platform': 'erc20-holesky-tglm' });
      await requestor.post(`/market-api/v1/demands/${demandId}/proposals/${proposalId}`, terms);
      expect(await requestor.events(demandId, 0.2)).toEqual([]);
    },
  },
  {
    fault: { on: 'provider.negotiate', do: 'delay', sec: 0.2 },
    what: 'answers a counter-proposal late',
    async play({ requestor, arm }) {
      arm();
      const { demandId, proposalId } = await offered(requestor);
      let draft: unknown;
      expect(
        await took(async () => (draft = await requestor.negotiate(demandId, proposalId))),
      ).toBeGreaterThan(150);
      expect(draft).toMatchObject({ eventType: 'ProposalEvent' });
    },
  },
  {
    fault: { on: 'provider.negotiate', do: 'dearer', factor: 3 },
    what: 'agrees to higher prices than it offered',
    async play({ requestor, arm }) {
      arm();
      const demandId = await requestor.subscribe();
      const [{ proposal: offer }] = await requestor.events(demandId);
      const { proposal: draft } = await requestor.negotiate(demandId, offer.proposalId as string);
      const prices = offer.properties[PROP.pricingCoeffs] as number[];
      expect(draft.properties[PROP.pricingCoeffs]).toEqual(prices.map((price) => price * 3));
    },
  },
  {
    fault: { on: 'provider.approve', do: 'refuse', message: 'too late' },
    what: 'rejects an agreement',
    async play({ requestor, arm }) {
      arm();
      expect(await confirmed(requestor, 10)).toMatchObject({ status: 410, json: { message: 'Rejected' } });
      const [event] = (await requestor.get('/market-api/v1/agreementEvents?appSessionId=s')).json;
      expect(event).toMatchObject({ eventType: 'AgreementRejectedEvent', reason: { message: 'too late' } });
    },
  },
  {
    fault: { on: 'provider.approve', do: 'withhold' },
    what: 'does not answer a confirmed agreement',
    async play({ requestor, arm }) {
      arm();
      expect((await confirmed(requestor, 0.2)).status).toBe(408);
    },
  },
  {
    fault: { on: 'provider.approve', do: 'delay', sec: 0.3 },
    what: 'approves an agreement late',
    async play({ requestor, arm }) {
      arm();
      const approved = async (): Promise<number> => (await confirmed(requestor, 10)).status;
      expect(await took(async () => expect(await approved()).toBe(204))).toBeGreaterThan(290);
      await requestor.effect('agreement-approved');
    },
  },
  {
    fault: { on: 'provider.createActivity', do: 'loseAnswer' },
    what: 'creates an activity that its requestor never hears of, and refuses the next',
    shows: ['second activity refused'],
    async play({ requestor, arm }) {
      const agreementId = await requestor.rent();
      arm();
      expect((await requestor.post(`${ACTIVITY}?timeout=0.1`, { agreementId })).status).toBe(408);
      expect((await requestor.get(`${ACTIVITY}?agreementId=${agreementId}`)).json).toEqual([]);
      expect(await requestor.post(ACTIVITY, { agreementId })).toMatchObject({
        status: 500,
        json: { message: expect.stringContaining('Only single Activity allowed') },
      });
    },
  },
  {
    fault: { on: 'provider.createActivity', do: 'refuse', message: 'no disk' },
    what: 'refuses an activity',
    async play({ requestor, arm }) {
      const agreementId = await requestor.rent();
      arm();
      expect(await requestor.post(ACTIVITY, { agreementId })).toMatchObject({
        status: 500,
        json: { message: 'Service error: no disk' },
      });
      expect(await requestor.createActivity(agreementId)).toMatch(/^[0-9a-f]{32}$/);
    },
  },
  {
    fault: { on: 'provider.createActivity', do: 'delay', sec: 0.2 },
    what: 'creates an activity late',
    async play({ requestor, arm }) {
      const agreementId = await requestor.rent();
      arm();
      expect(await took(() => requestor.createActivity(agreementId))).toBeGreaterThan(150);
    },
  },
  {
    fault: { on: 'provider.destroyActivity', do: 'delay', sec: 0.2 },
    what: 'takes its time to destroy an activity',
    async play({ requestor, arm }) {
      const { activityId } = await rentVm(requestor);
      arm();
      expect(await took(() => requestor.delete(`${ACTIVITY}/${activityId}`))).toBeGreaterThan(150);
      expect((await stateOf(requestor, activityId)).state).toEqual(['Terminated', null]);
    },
  },
  ...commandCases(),
  {
    fault: { on: 'provider.run', do: 'die' },
    what: 'loses its VM in the middle of a command',
    async play({ requestor, arm }) {
      const { activityId } = await rentVm(requestor);
      arm();
      await send(requestor, activityId, [SLEEP]);
      await requestor.effect('activity-destroyed');
      expect((await stateOf(requestor, activityId)).reason).toBe('execution aborted');
    },
  },
];

/** What may happen to each command of a script. */
function commandCases(): FaultCase[] {
  const folder = tempDir('fault-transfer');
  const file = join(folder, 'file');
  const transfer = { transfer: { from: `file://${file}`, to: 'container:/golem/work/file' } };
  const script = [...SCRIPT, transfer];
  const prepare = async (requestor: Requestor): Promise<string> => {
    writeFileSync(file, 'text');
    return await requestor.createActivity(await requestor.rent());
  };
  const steps = ['deploy', 'start', 'run', 'transfer'] as const;
  return steps.flatMap((step, index): FaultCase[] => {
    const on = `provider.${step}` as const;
    const resultsOf = async (requestor: Requestor): Promise<CommandResult[]> =>
      await run(requestor, await prepare(requestor), script, index);
    return [
      {
        fault: { on, do: 'fail', message: 'broken' } satisfies FaultInput,
        what: `fails at ${step}`,
        shows: SHOWN_BY_FAILURE[step],
        async play({ requestor, arm }) {
          arm();
          const results = await resultsOf(requestor);
          expect(results[index]).toMatchObject({ result: 'Error', message: 'broken' });
          expect(results).toHaveLength(index + 1);
        },
      },
      {
        fault: { on, do: 'hang' } satisfies FaultInput,
        what: `hangs at ${step} until the VM is destroyed`,
        shows: step === 'start' ? ['start hangs'] : [],
        async play({ requestor, arm }) {
          arm();
          const activityId = await prepare(requestor);
          const path = `${ACTIVITY}/${activityId}/exec/${await send(requestor, activityId, script)}`;
          await requestor.effect('fault');
          expect((await requestor.get(`${path}?timeout=0.1&commandIndex=${index}`)).status).toBe(408);
          expect((await requestor.get(path)).json).toHaveLength(index);
          expect((await requestor.delete(`${ACTIVITY}/${activityId}`)).status).toBe(200);
        },
      },
      {
        fault: { on, do: 'delay', sec: 0.3 } satisfies FaultInput,
        what: `begins late with ${step}`,
        async play({ requestor, arm }) {
          arm();
          let results: CommandResult[] = [];
          expect(await took(async () => (results = await resultsOf(requestor)))).toBeGreaterThan(250);
          expect(results[index]).toMatchObject({ result: 'Ok' });
        },
      },
    ];
  });
}
