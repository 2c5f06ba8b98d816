/**
 * The devnet against what is known of a real yagna: every call of its OpenAPI files, and every exchange that was
 * recorded, with what is left out and what differs written down in full.
 */
import { writeFileSync } from 'node:fs';
import type { Devnet } from '../devnet';
import { CALLS, type Given } from './support/conformance-calls';
import { CHAINS, replayChain } from './support/conformance-chains';
import { DIFFERENCES, NOT_REPLAYED } from './support/conformance-differences';
import { withDevnet, type Requestor } from './support/devnet-requestor';
import { stepsOf, type Outcome } from './support/recording-replay';
import { Precisions } from './support/replayed-values';

describe('a call of the OpenAPI files or the recordings', () => {
  test('has the status that is written down for it', async () => {
    const providers = ['one', 'two'].map((name) => ({ name, agreementLimit: 4 }));
    await withDevnet({ providers, paymentCycleSec: 0.1 }, async (requestor, devnet) => {
      const given = await before(requestor, devnet);
      const unexpected: string[] = [];
      for (const { call, status, isUpgrade, body, keep } of CALLS) {
        const [method = '', template = ''] = call.split(' ');
        const path = template.replace(/\{(\w+)\}/g, (_, name: string) => given[name] ?? `no ${name}`);
        const answer = isUpgrade
          ? await requestor.upgrade(path)
          : await requestor.call(method, path, body?.(given));
        if (answer.status !== status) unexpected.push(`${call}: ${answer.status} ${answer.text}`);
        else Object.assign(given, await keep?.(answer.json, requestor, given));
      }
      expect(unexpected).toEqual([]);
    });
  });

  test('is in the table once', () => {
    const calls = CALLS.map(({ call }) => call.replace(/\?.*/, ''));
    expect(new Set(calls).size).toBe(calls.length);
    const asInTheFile = CALLS.filter(({ because }) => because === undefined);
    const elsewhere = CALLS.filter(({ status }) => status === 501);
    expect({
      ...{
        calls: calls.length,
        asInTheFile: asInTheFile.length,
        otherwise: calls.length - asInTheFile.length,
      },
      notImplemented: elsewhere.length,
    }).toEqual({ calls: 109, asInTheFile: 53, otherwise: 56, notImplemented: 22 });
  });

  /** An agreement that its provider leaves unanswered, and an invoice beside the one that is accepted. */
  async function before(requestor: Requestor, devnet: Devnet): Promise<Given> {
    const agreementId = await requestor.rent('earlier');
    await requestor.terminate(agreementId);
    const { invoiceId } = await requestor.firstEvent('invoice', 'earlier');
    devnet.faults.arm({ on: 'provider.approve', do: 'withhold' });
    const demandId = await requestor.subscribe();
    const [offer] = await requestor.events(demandId, 10, 1);
    await requestor.events(demandId, 0);
    const draft = await requestor.negotiate(demandId, offer.proposal.proposalId as string);
    const pendingAgreement = await requestor.createAgreement(draft.proposal.proposalId as string);
    await requestor.post(`/market-api/v1/agreements/${pendingAgreement}/confirm`);
    return { terms: JSON.stringify(requestor.terms()), otherInvoice: invoiceId as string, pendingAgreement };
  }
});

describe('replayed on the devnet, the recordings of a real yagna', () => {
  const precisions = new Precisions();
  let outcomes: Outcome[];

  const isAsListed = (outcome: readonly Outcome[]): boolean =>
    outcome.every(({ name, differences }) => differences.length > 0 === DIFFERENCES.has(name));

  beforeAll(async () => {
    const first = await Promise.all(CHAINS.map((chain) => replayChain(chain, precisions)));
    outcomes = [];
    for (const [index, chain] of CHAINS.entries()) {
      const outcome = first[index] ?? [];
      // It keeps the times of a recording, for which a busy machine can be too late: then once more, alone.
      outcomes.push(...(isAsListed(outcome) ? outcome : await replayChain(chain, precisions)));
    }
    const report = process.env['CONFORMANCE_REPORT'];
    if (report !== undefined)
      writeFileSync(report, JSON.stringify({ outcomes, times: precisions.fields }, null, 1));
  }, 300_000);

  test('are answered alike, but for the differences that are listed', () => {
    const different = outcomes.filter(({ differences }) => differences.length > 0);
    expect(different.filter(({ name }) => !DIFFERENCES.has(name))).toEqual([]);
    expect(different.map(({ name }) => name).sort()).toEqual([...DIFFERENCES.keys()].sort());
  });

  test('are all replayed, but for those that are listed', () => {
    const recorded = stepsOf(CHAINS.flatMap(({ files }) => files)).map(({ name }) => name);
    const replayed = outcomes.map(({ name }) => name);
    expect(new Set(replayed).size).toBe(replayed.length);
    expect(recorded.filter((name) => !replayed.includes(name)).sort()).toEqual(
      [...NOT_REPLAYED.keys()].sort(),
    );
    expect({
      recorded: recorded.length,
      alike: replayed.length - DIFFERENCES.size,
      different: DIFFERENCES.size,
      notReplayed: NOT_REPLAYED.size,
    }).toEqual({ recorded: 1231, alike: 1212, different: 15, notReplayed: 4 });
  });

  test('give times as precisely, and with the same zone', () => {
    expect(precisions.unlike()).toEqual([]);
    expect(precisions.fields.length).toBeGreaterThan(20);
  });
});
