import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkProviders, providersJsonSchema, ProvidersError, startDevnet } from '../devnet';
import { describeProviders } from '../devnet/provider/providers-file';
import { withDevnet } from './support/devnet-requestor';

function mistakesIn(input: unknown): readonly string[] {
  try {
    checkProviders(input);
  } catch (error) {
    if (error instanceof ProvidersError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('a description of providers', () => {
  it('is a list, or a list with a profile of latencies and a scale of time', () => {
    const [plain] = checkProviders([{ name: 'a' }]);
    expect(plain).toMatchObject({ idleLimitSec: 90, createSec: 0, minExpirationSec: 300, activityLimit: 1 });
    const recorded = describeProviders({ profile: 'recorded', providers: [{ name: 'a', createSec: 3 }] });
    expect(recorded.rebroadcastSec).toBe(15);
    expect(recorded.providers[0]).toMatchObject({ createSec: 3, destroySec: 0.765, invoiceDelaySec: 1 });
  });

  it('is divided by its time scale, so that a long engagement is run in small', () => {
    const { providers, rebroadcastSec } = describeProviders({ timeScale: 360, providers: [{ name: 'a' }] });
    expect(providers[0]).toMatchObject({
      minExpirationSec: 0.833333,
      maxExpirationWithoutAcceptanceSec: 5,
      paymentTimeoutRequiredFromSec: 100,
      idleLimitSec: 0.25,
      pricing: { cpuPerHour: '0.1' },
    });
    expect(rebroadcastSec).toBeCloseTo(240 / 360);
    expect(describeProviders({ timeScale: 10 }).providers).toHaveLength(5);
  });

  it('is answered with one line for each mistake', () => {
    expect(mistakesIn([])).toEqual(['providers: at least one provider is needed']);
    expect(mistakesIn(7)).toEqual(['providers: expected an object, not 7']);
    expect(mistakesIn({ profile: 'slow', timeScal: 3, providers: [{}] })).toEqual([
      'profile: expected one of "instant", "recorded", not "slow"',
      'providers[0].name: is missing',
      'timeScal: no such setting, did you mean "timeScale"?',
    ]);
    const wrong = {
      ...{ name: '', idleLimitSec: '5m', agreementLimit: 1.5, platforms: [], minExpirationSec: -1 },
      ...{ hardware: { bus: 3, cpuCores: 0 }, payableNotes: 'yes', destroySec: 1e12 },
      pricing: { start: 1, cpuPerHour: '9'.repeat(400), envPerHour: 'free' },
      ...{ acceptTimoutSec: 3, cores: 4, colour: 'red' },
    };
    expect([...mistakesIn([wrong])].sort()).toEqual([
      'providers[0].acceptTimoutSec: no such setting, did you mean "acceptTimeoutSec"?',
      'providers[0].agreementLimit: expected a whole number, not 1.5',
      'providers[0].colour: no such setting',
      'providers[0].cores: no such setting, did you mean "hardware.cpuCores"?',
      'providers[0].destroySec: must be at most 3155760000, not 1000000000000',
      'providers[0].hardware.bus: no such setting; there are cpuCores, cpuThreads, memGib, storageGib, cpuBrand',
      'providers[0].hardware.cpuCores: must be more than 0, not 0',
      'providers[0].idleLimitSec: expected a number of seconds, not "5m"',
      'providers[0].minExpirationSec: must be at least 0, not -1',
      'providers[0].name: must not be empty',
      'providers[0].payableNotes: expected true or false, not "yes"',
      'providers[0].platforms: at least one is needed',
      'providers[0].pricing.cpuPerHour: must have at most 12 digits before the point and 30 after it',
      'providers[0].pricing.envPerHour: expected an amount of GLM as a string such as "0.1"',
      'providers[0].pricing.start: expected an amount of GLM as a string such as "0.1"',
    ]);
    expect(mistakesIn([{ name: 'a', platforms: ['erc20-polygon-glm', 'foo-bar'] }])).toEqual([
      expect.stringMatching(
        /^providers\[0\]\.platforms\[1\]: expected one of "erc20-mainnet-glm", .*, not "foo-bar"$/,
      ),
    ]);
    expect(mistakesIn([{ name: 'a' }, { name: 'a', minExpirationSec: 60, maxExpirationSec: 30 }])).toEqual([
      'providers[1].name: another provider is named "a" too',
      'providers[1].minExpirationSec: must not be more than maxExpirationSec',
      'providers[1].maxExpirationWithoutAcceptanceSec: must not be more than maxExpirationSec',
    ]);
  });

  it('starts a network in any of its forms', async () => {
    await withDevnet({ providers: { timeScale: 100, providers: [{ name: 'quick' }] } }, async (requestor) => {
      const [offer] = await requestor.events(await requestor.subscribe());
      expect(offer.proposal.properties).toMatchObject({
        'golem.node.id.name': 'quick',
        'golem.com.payment.debit-notes.accept-timeout?': 2.4,
      });
    });
    await expect(startDevnet({ providers: [] })).rejects.toThrow(/at least one provider is needed/);
  });
});

describe('thresholds of expiration', () => {
  const ACCEPT = 'golem.com.payment.debit-notes.accept-timeout?';

  it('are for all agreements below the shortest, and for none above the longest', async () => {
    const thresholds = { maxExpirationWithoutAcceptanceSec: 300, paymentTimeoutRequiredFromSec: 8000 };
    const providers = [{ name: 'one', minExpirationSec: 600, maxExpirationSec: 7200, ...thresholds }];
    await withDevnet({ providers }, async (requestor) => {
      const answer = async (properties: object): Promise<unknown> => {
        const demandId = await requestor.subscribe(requestor.terms({ ...properties }));
        const [offer] = await requestor.events(demandId);
        return await requestor.negotiate(demandId, offer.proposal.proposalId as string, { ...properties });
      };
      expect(await answer({ [ACCEPT]: 240 })).toMatchObject({ proposal: { state: 'Draft' } });
      expect(await answer({ [ACCEPT]: null })).toMatchObject({
        reason: { message: expect.stringMatching(/less than 10m or more than 5m from now$/) },
      });
    });
  });
});

describe('the JSON Schema of a file of providers', () => {
  it('tells of each setting what it is, its unit and its default, as the documentation does', () => {
    const docs = readFileSync(join(__dirname, '..', 'docs', 'devnet-providers.md'), 'utf8');
    const [file, list] = providersJsonSchema().anyOf as [Schema, Schema];
    const provider = list.items as Schema;
    expect(Object.keys(file.properties ?? {})).toEqual([
      'profile',
      'timeScale',
      'rebroadcastSec',
      'providers',
    ]);
    const missing = settingsOf(provider).flatMap(([name, setting]) => {
      expect(setting.description).toBeTruthy();
      if (name.endsWith('Sec'))
        expect(setting).toMatchObject({ unit: 'seconds', default: expect.anything() });
      const row =
        docs
          .split('\n')
          .find((line) => line.startsWith(`| \`${name}\``))
          ?.replaceAll('`', '') ?? '';
      const isScalar = ['number', 'string', 'boolean'].includes(typeof setting.default);
      return row.includes(isScalar ? ` ${String(setting.default)} ` : '|') ? [] : [name];
    });
    expect(missing).toEqual([]);
    const [, example = ''] = /```json\n([^`]+)```/.exec(docs) ?? [];
    expect(describeProviders(JSON.parse(example)).providers).toHaveLength(2);
  });
});

interface Schema {
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
}

/** Dotted names of all settings, with those of groups. */
function settingsOf({ properties = {} }: Schema, group = ''): [string, Schema][] {
  return Object.entries(properties).flatMap(([name, setting]): [string, Schema][] =>
    setting.properties ? settingsOf(setting, `${group}${name}.`) : [[`${group}${name}`, setting]],
  );
}
