/** Decides debit notes and invoices: one activity a document. */
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import { countDecision } from './counted';
import { decideDebitNote } from './decide-debit-note';
import { decideInvoice } from './decide-invoice';
import type { ActivityEnvironment } from './environment';

export function decisionActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemDecideDocument'> {
  return {
    /**
     * Decides one debit note or invoice.
     *
     * Effect: it is accepted, or (an invoice) rejected with a reason; a refused debit note is left undecided.
     * Retry: reads its status first; what an earlier attempt decided stands. Before anything is accepted, it looks whether
     * the agreement has its accepted invoice: it is paid once, and no note after that.
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemDecideDocument(input) {
      return await attempt(async ({ signal }) => {
        const { connection } = input.job;
        const yagna = env.connections.get(connection);
        const documents = env.connections.documents(connection);
        const decide = input.document.kind === 'invoice' ? decideInvoice : decideDebitNote;
        const decision = await decide(yagna, documents, input, signal);
        countDecision(decision);
        return decision;
      });
    },
  };
}
