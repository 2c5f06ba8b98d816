/** Where and when a fault of the local network acts, and how it is armed. What each kind does: devnet-fault-kinds. */
import { ZodError } from 'zod';
import type { FaultInput } from '../devnet';
import { matchesRequest } from '../devnet/faults/request-pattern';
import { Requestor, withDevnet, type Answer } from './support/devnet-requestor';
import {
  ACTIVITY,
  agreementState,
  allocations,
  MARKET,
  notes,
  PAYMENT,
  run,
  shell,
} from './support/devnet-vm';
import { lost } from './support/faults/fault-case';

const ONE = [{ name: 'one' }];

const versionOf = (requestor: Requestor): Promise<Answer> => requestor.get('/version/get');

describe('a fault on a call', () => {
  it('acts at the node and on the provider that it names, from the n-th time on, so often', async () => {
    const providers = [{ name: 'one' }, { name: 'two' }];
    await withDevnet({ providers, nodes: [{ name: 'bob' }] }, async (alice, devnet) => {
      const bob = new Requestor(devnet.node('bob').url, devnet.node('bob').appKey);
      devnet.faults.arm({ on: 'getVersion', do: 'answer', node: 'bob', nth: 2, times: 2 });
      const statuses = async (who: Requestor): Promise<number[]> => {
        const seen: number[] = [];
        for (let n = 0; n < 4; n++) seen.push((await versionOf(who)).status);
        return seen;
      };
      expect(await statuses(alice)).toEqual([200, 200, 200, 200]);
      expect(await statuses(bob)).toEqual([200, 503, 503, 200]);

      devnet.faults.arm({
        on: 'counterProposalDemand',
        do: 'answer',
        status: 500,
        provider: 'two',
        times: 0,
      });
      const demandId = await alice.subscribe();
      const offers = await alice.events(demandId, 0);
      for (const { proposal } of offers) {
        const answer = await alice.post(
          `${MARKET}/demands/${demandId}/proposals/${proposal.proposalId}`,
          alice.terms({ 'golem.com.payment.chosen-platform': 'erc20-holesky-tglm' }),
        );
        expect(answer.status).toBe(proposal.properties['golem.node.id.name'] === 'two' ? 500 : 200);
      }
    });
  });

  it('acts by chance, and the same chances for the same seed', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      const draw = async (seed: number): Promise<string> => {
        const { id } = faults.arm({ on: 'getVersion', do: 'answer', probability: 0.5, seed, times: 0 });
        let drawn = '';
        for (let n = 0; n < 24; n++) drawn += (await versionOf(requestor)).status === 200 ? '.' : 'x';
        faults.disarm(id);
        return drawn;
      };
      const first = await draw(1);
      expect(first).toMatch(/x/);
      expect(first).toMatch(/\./);
      expect(await draw(1)).toBe(first);
      expect(await draw(2)).not.toBe(first);
    });
  });

  it('that still waits when its node goes down never takes effect', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      devnet.faults.arm({ on: 'createAllocation', do: 'delay', sec: 30 });
      const waiting = lost(requestor.allocate());
      await requestor.effect('fault');
      await devnet.node('requestor').restart();
      await waiting;
      expect(await allocations(requestor)).toHaveLength(0);
    });
  });

  it('tells when it acts, by the effects', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      const { id } = faults.arm({ on: 'getVersion', do: 'answer' });
      await versionOf(requestor);
      expect(await requestor.effect('fault')).toMatchObject({
        ...{ faultId: id, on: 'getVersion', do: 'answer', node: 'requestor' },
      });
    });
  });
});

describe('a fault on a path', () => {
  const statuses = async (requestor: Requestor, paths: readonly string[]): Promise<number[]> => {
    const seen: number[] = [];
    for (const path of paths) seen.push((await requestor.get(path)).status);
    return seen;
  };

  it('acts on every request to it, be it a call, the registry or nothing that there is', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      const paths = [
        '/registry/v1/image/info?tag=golem/alpine:latest',
        `${MARKET}/offers/1/events`,
        '/nowhere',
        `${PAYMENT}/allocations`,
      ];
      expect(await statuses(requestor, paths)).toEqual([200, 501, 404, 200]);
      const armed = faults.arm({ on: '/*', do: 'answer', status: 418, times: 0 });
      expect(await statuses(requestor, paths)).toEqual([418, 418, 418, 418]);
      expect(await requestor.effect('fault')).toMatchObject({ on: 'GET /registry/v1/image/info' });
      await armed.hit(4);
      faults.disarmAll();
      const any = faults.arm({ on: '*', do: 'answer', status: 418, times: 0 });
      expect(await statuses(requestor, paths)).toEqual([200, 501, 404, 418]);
      expect(any).toMatchObject({ matches: 1 });
    });
  });

  it('acts on the method that it names, and on what * stands for', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      faults.arm({ on: `POST ${PAYMENT}/allocations`, do: 'dropAfter' });
      expect(await allocations(requestor)).toHaveLength(0);
      await lost(requestor.allocate());
      const [{ allocationId }] = (await requestor.get(`${PAYMENT}/allocations`)).json;
      faults.arm({ on: 'GET /payment-api/*/allocations/*', do: 'answer', times: 0 });
      const one = `${PAYMENT}/allocations/${allocationId}`;
      expect(await statuses(requestor, [one, `${one}/orders?x=1`, `${PAYMENT}/allocations`])).toEqual([
        ...[503, 503, 200],
      ]);
    });
  });

  it('acts on what is about the provider that it names', async () => {
    await withDevnet({ providers: [{ name: 'one' }, { name: 'two' }] }, async (requestor, { faults }) => {
      const agreementId = await requestor.rent();
      const providerId = (await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.offer.providerId;
      const names = (await requestor.admin('/state')).providers as { id: string; name: string }[];
      const mine = names.find(({ id }) => id === providerId)?.name;
      const other = names.find(({ id }) => id !== providerId)?.name;
      const on = `${MARKET}/agreements/*` as const;
      faults.arm({ on, do: 'answer', provider: other, times: 0 });
      expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).status).toBe(200);
      faults.arm({ on, do: 'answer', provider: mine });
      expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).status).toBe(503);
    });
  });

  it('does not lose its way in a pattern made to that end', () => {
    const path = `/${'a'.repeat(10_000)}`;
    const begin = process.cpuUsage();
    expect(matchesRequest(`/${'*a'.repeat(2000)}*b`, { method: 'GET', path })).toBe(false);
    expect(matchesRequest(`/${'*a'.repeat(2000)}`, { method: 'GET', path })).toBe(true);
    expect(process.cpuUsage(begin).user).toBeLessThan(1_000_000);
    for (const [pattern, text, isSo] of [
      ['/a*b', '/ab', true],
      ['/ab*b', '/ab', false],
      ['/a*bc*bc', '/abc', false],
      ['/a*bc*bc', '/abcbc', true],
      ['/a', '/ab', false],
    ] as const)
      expect([pattern, text, matchesRequest(pattern, { method: 'GET', path: text })]).toEqual([
        ...[pattern, text, isSo],
      ]);
  });
});

describe('a fault that would change nothing', () => {
  it('is refused when that is plain from the start', async () => {
    await withDevnet({ providers: ONE, nodes: [{ name: 'bob' }] }, async (_requestor, { faults, links }) => {
      const refusal = (fault: FaultInput): string => {
        try {
          faults.arm(fault);
        } catch (error) {
          return error instanceof ZodError ? (error.issues[0]?.message ?? '') : (error as Error).message;
        }
        return 'armed';
      };
      expect(refusal({ on: 'createAllocation', do: 'crash' })).toBe(
        'createAllocation is about no provider: say which one is to crash',
      );
      expect(refusal({ on: 'getVersion', do: 'killVms' })).toBe(
        'getVersion is about no provider: say which one is to lose its VMs',
      );
      expect(refusal({ on: 'createAllocation', do: 'delay', provider: 'one' })).toBe(
        'createAllocation is about no provider, so the fault would never act',
      );
      expect(refusal({ on: 'exec', do: 'delay', provider: 'typo' })).toBe(
        'no provider is named "typo"; there are: one',
      );
      expect(refusal({ on: '*', do: 'delay', node: 'typo' })).toBe(
        'no node is named "typo"; there are: requestor, bob',
      );
      expect(refusal({ on: 'GET /a?b=1', do: 'delay' })).toBe(
        '"/a?b=1" is more than a path: give it without a query',
      );
      expect(refusal({ on: '/a/{id}', do: 'delay' })).toBe(
        '"/a/{id}" has a placeholder: write * for a part that differs',
      );
      expect(refusal({ on: 'FETCH /a' as '/a', do: 'delay' })).toMatch(
        /^"FETCH" is no method; give one of GET, /,
      );
      expect(refusal({ on: '/a', do: 'zero' as 'delay' })).toMatch(
        /^"zero" can't happen on \/a; what can: delay, /,
      );
      expect(faults.list()).toEqual([]);
      expect(() => links.crash('typo')).toThrow('no provider is named "typo"; there are: one');
      expect(() => links.cut({ node: 'typo' })).toThrow('no node is named "typo"; there are: requestor, bob');
    });
  });

  it('does not act, and does not count, where there is nobody or nothing for it', async () => {
    const options = { providers: [{ name: 'one', agreementLimit: 2 }], nodes: [{ name: 'bob' }] };
    await withDevnet(options, async (requestor, devnet) => {
      const bob = new Requestor(devnet.node('bob').url, devnet.node('bob').appKey, devnet.adminUrl);
      const { faults, links } = devnet;
      const foreign = await bob.rent();
      const agreementId = await requestor.rent();
      const anywhere = faults.arm({ on: '*', do: 'crash', times: 0 });
      const elsewhere = faults.arm({ on: 'provider.debitNote', do: 'otherAgreement', times: 0 });
      const falling = faults.arm({ on: 'provider.debitNote', do: 'lessThanBefore', times: 0 });
      const hasty = faults.arm({ on: 'provider.debitNote', do: 'tooOften', times: 0 });
      await requestor.allocate();
      expect(links.state().crashed).toEqual([]);
      faults.disarm(anywhere.id);
      const activityId = await requestor.createActivity(agreementId);
      const vmless = faults.arm({ on: 'getAgreement', do: 'killVms' });
      const paid = await run(requestor, activityId, [{ deploy: {} }, { start: {} }, shell('true')]);
      expect(paid).toMatchObject([{ result: 'Ok' }, { result: 'Ok' }, { result: 'Ok' }]);
      await requestor.delete(`${ACTIVITY}/${activityId}`);
      expect(await agreementState(requestor, agreementId)).toBe('Approved');
      // Another requestor's agreement is none that a note of this one's could be for.
      expect(await agreementState(bob, foreign)).toBe('Approved');
      expect(await notes(requestor)).toMatchObject([{ agreementId, activityId }]);
      expect(
        [anywhere, elsewhere, falling, hasty, vmless].map(({ matches, hits }) => [matches, hits]),
      ).toEqual(Array(5).fill([0, 0]));
      expect(devnet.effects.all(0, ['fault'])).toEqual([]);
    });
  });
});

describe('arming a fault by the admin API', () => {
  it('lists what is armed, how often it matched and acted, and takes it back', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { adminUrl, effects }) => {
      const call = async (
        method: string,
        path: string,
        body?: unknown,
      ): Promise<[number, Answer['json']]> => {
        const response = await fetch(`${adminUrl}${path}`, {
          method,
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        });
        return [response.status, await response.json()];
      };
      const [status, armed] = await call('POST', '/faults', { on: 'getVersion', do: 'answer', nth: 2 });
      expect([status, armed]).toEqual([
        200,
        expect.objectContaining({ on: 'getVersion', matches: 0, hits: 0 }),
      ]);
      await versionOf(requestor);
      await versionOf(requestor);
      expect(await call('GET', '/faults')).toEqual([
        200,
        [expect.objectContaining({ id: armed.id, matches: 2, hits: 1 })],
      ]);
      expect(await call('DELETE', `/faults/${armed.id}`)).toEqual([200, []]);
      expect(await call('DELETE', `/faults/${armed.id}`)).toEqual([
        404,
        { message: `no fault ${armed.id} is armed` },
      ]);
      expect(await call('POST', '/faults', { on: 'createAgrement', do: 'delay' })).toEqual([
        400,
        { message: 'on: there is no "createAgrement"; did you mean "createAgreement"?' },
      ]);
      expect(await call('POST', '/faults', { on: 'provider.run', do: 'zero' })).toEqual([
        400,
        { message: `do: "zero" can't happen on provider.run; what can: fail, hang, delay, die` },
      ]);
      expect(await call('POST', '/faults', { on: '*', do: 'delay', provider: 'nobody' })).toEqual([
        404,
        { message: 'no provider is named "nobody"; there are: one' },
      ]);
      expect(await call('POST', '/providers/one/freeze', { sec: 0.1 })).toEqual([
        200,
        { cuts: [], frozen: ['one'], crashed: [] },
      ]);
      expect(await call('POST', '/links/cut', { provider: 'one' })).toMatchObject([
        200,
        { cuts: [{ provider: 'one' }] },
      ]);
      expect(await call('POST', '/links/restore')).toEqual([200, { cuts: [], frozen: [], crashed: [] }]);
      const revived = effects.next('provider-revived');
      expect(await call('POST', '/providers/one/crash', { sec: 0.1 })).toMatchObject([
        200,
        { crashed: ['one'] },
      ]);
      expect(await revived).toMatchObject({ provider: 'one', cause: 'end of the crash' });
      expect(await call('POST', '/providers/one/kill-vms')).toMatchObject([200, { crashed: [] }]);
      expect(await call('POST', '/providers/one/thaw', { sec: 1 })).toMatchObject([
        ...[400, { message: 'Unrecognized key: "sec"' }],
      ]);
    });
  });
});
