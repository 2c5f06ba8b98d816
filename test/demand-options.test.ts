/** What each option of a job's demand changes in the request to the market, and that nothing else changes. */
import { buildDemand, counterProperties, type DemandBody, mergeDecorations } from '../model/demand';
import type { JobSpec } from '../model/job';
import { parseJobSpec } from '../model/spec';

const HASH = 'd73cc921276b01be2abe29596997cd92ad0a8a50566d4925c743bcd8';
const IMAGE = `hash:sha3:${HASH}:http://127.0.0.1:7480/base.gvmi`;
const AT = { mark: 'owner/uuid/1', nowMs: 1_795_323_486_416 };

function spec(demand: object, image = IMAGE): Pick<JobSpec, 'demand' | 'image'> {
  const reading = parseJobSpec({ image, budget: '1', tasks: ['true'], demand });
  if (!reading.ok) throw new Error(reading.problems.join('\n'));
  return { demand: reading.spec.demand, image: { taskPackage: image, label: image } };
}

const build = (demand: object, image?: string): DemandBody => buildDemand(spec(demand, image), AT);

/** Constraints one by one. */
function parts({ constraints }: DemandBody): string[] {
  return constraints.slice(2, -1).split('\n\t');
}

const BASE = build({});

test('a job that says nothing asks for what the JavaScript SDK asks for, and bears our mark', () => {
  expect(BASE).toEqual({
    properties: {
      'golem.srv.caps.multi-activity': true,
      'golem.node.debug.subnet': 'public',
      'golem.srv.comp.expiration': AT.nowMs + 1_800_000,
      'golem.srv.comp.vm.package_format': 'gvmkit-squash',
      'golem.srv.comp.task_package': IMAGE,
      'golem.temporal.mark': 'owner/uuid/1',
    },
    constraints:
      '(&(golem.com.pricing.model=linear)\n\t(golem.node.debug.subnet=public)\n\t(golem.runtime.name=vm)' +
      '\n\t(golem.inf.mem.gib>=0.5)\n\t(golem.inf.storage.gib>=2)\n\t(golem.inf.cpu.cores>=1)\n\t(golem.inf.cpu.threads>=1))',
  });
});

test.each([
  [{ expirationSec: 600 }, 'golem.srv.comp.expiration', AT.nowMs + 600_000],
  [{ debitNotesAcceptanceTimeoutSec: 77 }, 'golem.com.payment.debit-notes.accept-timeout?', 77],
  [{ midAgreementDebitNoteIntervalSec: 78 }, 'golem.com.scheme.payu.debit-note.interval-sec?', 78],
])('%j changes the property %s', (option, property, value) => {
  const demand = build(option);
  expect(demand.properties).toEqual({ ...BASE.properties, [property]: value });
  expect(demand.constraints).toBe(BASE.constraints);
});

test('midAgreementPaymentTimeoutSec sets its property, and those that it needs', () => {
  expect(build({ midAgreementPaymentTimeoutSec: 7200 }).properties).toEqual({
    ...BASE.properties,
    'golem.com.scheme.payu.payment-timeout-sec?': 7200,
    'golem.com.payment.debit-notes.accept-timeout?': 240,
    'golem.com.scheme.payu.debit-note.interval-sec?': 120,
  });
});

test('a promise that is switched off is absent, not 0', () => {
  expect(build({ debitNotesAcceptanceTimeoutSec: 0, midAgreementDebitNoteIntervalSec: null })).toEqual(BASE);
});

test('over 30 min and over 10 h the promises of the class are in the demand', () => {
  expect(build({ expirationSec: 3600 }).properties).toMatchObject({
    'golem.com.payment.debit-notes.accept-timeout?': 240,
    'golem.com.scheme.payu.debit-note.interval-sec?': 120,
  });
  expect(build({ expirationSec: 43200 }).properties).toMatchObject({
    'golem.com.scheme.payu.payment-timeout-sec?': 43200,
  });
});

test.each([
  [{ minMemGib: 1.5 }, '(golem.inf.mem.gib>=0.5)', '(golem.inf.mem.gib>=1.5)'],
  [{ minStorageGib: 10 }, '(golem.inf.storage.gib>=2)', '(golem.inf.storage.gib>=10)'],
  [{ minCpuCores: 4 }, '(golem.inf.cpu.cores>=1)', '(golem.inf.cpu.cores>=4)'],
  [{ minCpuThreads: 8 }, '(golem.inf.cpu.threads>=1)', '(golem.inf.cpu.threads>=8)'],
  [{ runtime: 'vm-nvidia' }, '(golem.runtime.name=vm)', '(golem.runtime.name=vm-nvidia)'],
])('%j changes one constraint', (option, before, after) => {
  const demand = build(option);
  expect(parts(demand)).toEqual(parts(BASE).map((part) => (part === before ? after : part)));
  expect(demand.properties).toEqual(BASE.properties);
});

test('capabilities add a constraint each', () => {
  const added = parts(build({ capabilities: ['vpn', 'inet'] })).filter((part) => !parts(BASE).includes(part));
  expect(added).toEqual(['(golem.runtime.capabilities=vpn)', '(golem.runtime.capabilities=inet)']);
});

test('subnetTag is a property of ours and a constraint on theirs', () => {
  const demand = build({ subnetTag: 'mine' });
  expect(demand.properties['golem.node.debug.subnet']).toBe('mine');
  expect(parts(demand)).toContain('(golem.node.debug.subnet=mine)');
});

test('the image and the mark are properties', () => {
  const other = `hash:sha3:${HASH}:http://127.0.0.1/other.gvmi`;
  expect(build({}, other).properties['golem.srv.comp.task_package']).toBe(other);
  const marked = buildDemand(spec({}), { ...AT, mark: 'owner/uuid/2' });
  expect(marked.properties['golem.temporal.mark']).toBe('owner/uuid/2');
});

test('how the market is asked changes nothing of what it is asked for', () => {
  expect(build({ maxOfferEvents: 7, offerFetchingIntervalSec: 3, proposalTimeoutSec: 5 })).toEqual(BASE);
  expect(
    spec({ maxOfferEvents: 7, offerFetchingIntervalSec: 3, proposalTimeoutSec: 5 }).demand,
  ).toMatchObject({
    maxOfferEvents: 7,
    offerFetchingIntervalSec: 3,
    proposalTimeoutSec: 5,
  });
});

describe("yagna's decorations of an allocation", () => {
  const address = '0x1fe3a5dc71ccb473347ebdb21d9cffdbfe44283d';
  const decorations = {
    properties: [
      { key: 'golem.com.payment.platform.erc20-holesky-tglm.address', value: address },
      { key: 'golem.com.payment.protocol.version', value: '3' },
    ],
    constraints: [
      '(golem.com.payment.platform.erc20-holesky-tglm.address=*)',
      '(golem.com.payment.protocol.version>1)',
    ],
  };
  const merged = mergeDecorations(BASE, decorations);

  test('are merged into one conjunction, as the JavaScript SDK sends it', () => {
    expect(parts(merged)).toEqual([...parts(BASE), ...decorations.constraints]);
    expect(merged.constraints).toMatch(/^\(&\([^&]*\)\)$/);
    expect(merged.properties).toEqual({
      ...BASE.properties,
      'golem.com.payment.platform.erc20-holesky-tglm.address': address,
      'golem.com.payment.protocol.version': '3',
    });
  });

  test('may be none, and may be a conjunction themselves', () => {
    expect(mergeDecorations(BASE, { properties: [], constraints: [] })).toEqual(BASE);
    const nested = mergeDecorations(BASE, { properties: [], constraints: ['(&(a=1)\n\t(b=2))'] });
    expect(parts(nested)).toEqual([...parts(BASE), '(a=1)', '(b=2)']);
  });

  test('a counter-proposal adds the platform we shall pay on', () => {
    expect(counterProperties(merged, 'erc20-holesky-tglm')).toEqual({
      ...merged.properties,
      'golem.com.payment.chosen-platform': 'erc20-holesky-tglm',
    });
  });
});
