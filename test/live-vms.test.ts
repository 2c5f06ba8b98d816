/** Which VMs reconcile counts as running, when providers are silent. */
import { liveVms } from '../activities/live-vms';
import { YagnaError, type Agreement, type GolemActivityState } from '../activities/yagna';

const agreement = (agreementId: string, providerId: string, state: Agreement['state'] = 'Approved') =>
  ({ agreementId, state, offer: { providerId } }) as unknown as Agreement; // as much of it as is asked

const silent = (): never => {
  throw new YagnaError({ kind: 'timeout', call: 'GET /state', detail: 'no answer' });
};

const { signal } = new AbortController();

test('a provider that is silent is asked once, and all its VMs count as running', async () => {
  const asked: string[] = [];
  const yagna = {
    golemActivities: async (id: string) => [`${id}-1`, `${id}-2`],
    golemActivityState: async (id: string) => {
      asked.push(id);
      return silent();
    },
  };
  const agreements = ['a', 'b', 'c'].map((id) => agreement(id, 'p'));
  const found = await liveVms(yagna, [...agreements, agreement('d', 'p', 'Pending')], signal);
  expect([...found]).toEqual(['a', 'b', 'c'].map((id) => [id, [`${id}-1`, `${id}-2`]]));
  expect(asked).toEqual(['a-1']);
});

test('those of a provider that answers are as it says', async () => {
  const yagna = {
    golemActivities: async () => ['up', 'down', 'unknown'],
    golemActivityState: async (id: string) =>
      id === 'unknown'
        ? undefined
        : ({ state: [id === 'up' ? 'Ready' : 'Terminated', null] } as GolemActivityState),
  };
  expect([...(await liveVms(yagna, [agreement('a', 'p')], signal))]).toEqual([['a', ['up']]]);
});

test('silent providers are waited for at the same time', async () => {
  const providers = Array.from({ length: 20 }, (_, n) => `p${n}`);
  let waiting = 0;
  let give = (): void => undefined;
  const all = new Promise<void>((resolve) => (give = resolve));
  const yagna = {
    golemActivities: async (id: string) => [id],
    golemActivityState: async () => {
      waiting += 1;
      if (waiting === providers.length) give();
      await all;
      return silent();
    },
  };
  const agreements = providers.map((id) => agreement(id, id));
  expect((await liveVms(yagna, agreements, signal)).size).toBe(20);
});
