/** Constraints: which text they match, that no text takes long, and that they see a side's own properties only. */
import { evaluate, parseConstraints } from '../devnet/market/constraints';
import { sharedDevnet } from './support/devnet-requestor';

function holds(constraints: string, properties: Record<string, unknown>): boolean | undefined {
  const parsed = parseConstraints(constraints);
  return parsed && evaluate(parsed, properties);
}

describe('a text with stars', () => {
  it('matches as the same pattern with any text for each star', () => {
    const texts = words('ab', 6);
    const patterns = words('ab*', 5);
    for (const pattern of patterns.filter((text) => text !== '' && text !== '*')) {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      const parsed = parseConstraints(`(name=${pattern})`);
      if (!parsed) throw new Error(pattern);
      const wrong = texts.filter((name) => evaluate(parsed, { name }) !== expression.test(name));
      expect([pattern, wrong]).toEqual([pattern, []]);
    }
  });

  /** All words of up to so many letters. */
  function words(letters: string, longest: number): string[] {
    if (longest === 0) return [''];
    return [
      '',
      ...words(letters, longest - 1).flatMap((word) => [...letters].map((letter) => letter + word)),
    ];
  }

  it('takes no time, however many there are', () => {
    const name = 'a'.repeat(1000);
    expect(holds(`(name=${'*a'.repeat(1000)}*)`, { name })).toBe(true);
    expect(holds(`(name=${'*a'.repeat(1001)}*)`, { name })).toBe(false);
    expect(holds(`(name=${'*'.repeat(60_000)}x)`, { name })).toBe(false);
    expect(holds(`(name=[${'*'.repeat(60_000)}x])`, { name: [name] })).toBe(false);
  });
});

describe('a property that only every object of JavaScript has', () => {
  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('is not there: %s', (property) => {
    expect(holds(`(${property}=*)`, {})).toBeUndefined();
    expect(holds(`(${property}=x)`, {})).toBeUndefined();
    expect(holds(`(!(${property}=x))`, {})).toBeUndefined();
    expect(holds(`(${property}=*)`, JSON.parse(`{"${property}":"x"}`))).toBe(true);
    expect(holds(`(${property}=x)`, JSON.parse(`{"${property}":"x"}`))).toBe(true);
  });
});

describe('over the API', () => {
  const shared = sharedDevnet();

  const STARS = `(golem.inf.cpu.model=${'*'.repeat(30)}x)`;

  it('a demand, a counter-proposal and a scan full of stars are answered', async () => {
    const demandId = await shared.requestor.subscribe(shared.requestor.terms({}, STARS));
    expect(await shared.requestor.events(demandId, 0)).toEqual([]);
    expect(await scanned(STARS)).toBe(0);
    expect(await scanned('(golem.inf.cpu.model=S*1*6*1)')).toBe(1);

    const other = await shared.requestor.subscribe();
    const [offer] = await shared.requestor.events(other);
    const path = `/market-api/v1/demands/${other}/proposals/${offer.proposal.proposalId}`;
    const countered = await shared.requestor.post(path, shared.requestor.terms({}, STARS));
    expect([countered.status, countered.json.message]).toEqual([
      400,
      expect.stringContaining("doesn't match"),
    ]);
  });

  it('what every object of JavaScript has matches no offer', async () => {
    expect(await scanned('(constructor=*)')).toBe(0);
    expect(await scanned('(golem.runtime.name=*)')).toBe(1);
  });

  it('more than anybody needs is refused in words', async () => {
    const constraints = `(|${'(a=b)'.repeat(20_000)})`;
    for (const [path, body] of [
      ['demands', { properties: {}, constraints }],
      ['scan', { type: 'offer', constraints }],
    ] as const) {
      const { status, json } = await shared.requestor.post(`/market-api/v1/${path}`, body);
      expect([status, json.message]).toEqual([
        400,
        'Constraints are too long: they have 65536 characters at most',
      ]);
    }
    expect(await scanned(`(|${'(a=b)'.repeat(13_000)}(golem.runtime.name=vm))`)).toBe(1);
  });

  it('constraints of another type are refused', async () => {
    for (const constraints of [5, [], {}]) {
      const { status } = await shared.requestor.post('/market-api/v1/scan', { type: 'offer', constraints });
      expect([constraints, status]).toEqual([constraints, 400]);
    }
  });

  async function scanned(constraints: string): Promise<number> {
    const { json: id } = await shared.requestor.post('/market-api/v1/scan', { type: 'offer', constraints });
    const found = (await shared.requestor.get(`/market-api/v1/scan/${id}/events?timeout=0`))
      .json as unknown[];
    return found.length;
  }
});
