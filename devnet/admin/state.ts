/** The network at a glance, for the status page and for whoever wants to look: `GET /state`. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { formatNanos, nowNanos } from '../clock';
import type { ProviderView } from '../provider/network';
import { MoneyTotals } from './money';
import { faultView, nodeView, type AdminParts } from './server';

/** `limit`: of the providers, agreements, activities and allocations that are listed, each; `counts` has all. */
const stateQuery = z.strictObject({ limit: z.coerce.number().int().min(0).default(1000) });

type Trouble = 'crashed' | 'frozen' | 'cut off' | 'shut down';

export function stateRoute(app: FastifyInstance, parts: AdminParts): void {
  const money = new MoneyTotals(parts);
  app.get('/state', (request) => networkState(parts, money, stateQuery.parse(request.query).limit));
}

function networkState(parts: AdminParts, money: MoneyTotals, limit: number): object {
  const { effects, nodes, network, links, faults } = parts;
  const nodeNames = new Map(nodes.flatMap((node) => node.requestorIds.map((id) => [id, node.name] as const)));
  const nodeOf = (requestor: string): string => nodeNames.get(requestor) ?? requestor;

  const providers = network.views().map((view) => ({ ...view, trouble: troubleOf(view) }));
  const agreements = parts.agreements.live();
  const providerOf = new Map(agreements.map(({ id, provider }) => [id, network.nameOf(provider)]));
  const activities = parts.vms.liveActivities();
  const allocations = parts.allocations.live();
  const list = <T, V>(all: readonly T[], view: (one: T) => V): V[] => all.slice(0, limit).map(view);

  return {
    at: formatNanos(nowNanos()),
    seq: effects.lastSeq(),
    counts: {
      providers: providers.length,
      demands: parts.book.live().length,
      agreements: agreements.length,
      activities: activities.length,
      allocations: allocations.length,
    },
    nodes: nodes.map(nodeView),
    // Those with something going on first, so that a limit cuts the idle ones.
    providers: providers.sort((a, b) => rank(b) - rank(a)).slice(0, limit),
    agreements: list(agreements.reverse(), ({ id, requestor, provider, state, created }) => ({
      ...{ id, state, created, node: nodeOf(requestor), provider: network.nameOf(provider) },
    })),
    activities: list(activities.reverse(), ({ activityId, agreementId, state }) => ({
      ...{ id: activityId, agreementId, state, provider: providerOf.get(agreementId) },
    })),
    allocations: list(allocations.reverse(), ({ id, requestor, platform, total, spent, created }) => ({
      ...{ id, node: nodeOf(requestor), platform, total, spent: spent.toFixed(), created },
    })),
    money: money.now(nodeOf),
    faults: faults.list().map(faultView),
    links: links.state(),
  };

  function troubleOf({ name: provider, open }: ProviderView): Trouble | undefined {
    const { cuts, crashed, frozen } = links.state();
    if (crashed.includes(provider)) return 'crashed';
    if (frozen.includes(provider)) return 'frozen';
    const isCut = cuts.some((cut) => cut.provider === undefined || cut.provider === provider);
    if (isCut) return 'cut off';
    return open ? undefined : 'shut down';
  }
}

function rank({ trouble, agreements }: { trouble: Trouble | undefined; agreements: number }): number {
  return (trouble ? 2 : 0) + (agreements > 0 ? 1 : 0);
}
