/** Decides debit notes and invoices: one activity a document. */
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import { decideDebitNote } from './decide-debit-note';
import { decideInvoice } from './decide-invoice';
import type { ActivityEnvironment } from './environment';

export function decisionActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemDecideDocument'> {
  return {
    /**
     * Decides one debit note or invoice.
     *
     * Effect: it is accepted, or (an invoice) rejected with a reason; a refused debit note is left undecided.
     * Retry: reads its status first; what an earlier attempt decided stands.
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemDecideDocument(input) {
      return await attempt(async ({ signal, retried }) => {
        const yagna = env.connections.get(input.job.connection);
        return input.document.kind === 'invoice'
          ? await decideInvoice(yagna, input, retried, signal)
          : await decideDebitNote(yagna, input, signal);
      });
    },
  };
}
