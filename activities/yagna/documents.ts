/**
 * Whose a debit note or an invoice is. Neither its agreement nor the mark in that ever changes, so yagna is asked once
 * for each, however many jobs of this process want to know; what is forgotten is asked again.
 */
import type { AgreementId } from '../../model/ids';
import { PROP, type Properties } from '../../model/properties';
import type { Yagna } from './connection';

export type DocumentKind = 'debitNote' | 'invoice';

export interface DocumentOrigin {
  agreementId: AgreementId;
  /** The mark in the agreement's demand, and nothing else of that. */
  marked: Properties;
}

const REMEMBERED = 10_000;

export class Documents {
  private readonly agreements = new Answers<AgreementId>();
  private readonly marks = new Answers<Properties>();

  constructor(private readonly yagna: Pick<Yagna, 'debitNote' | 'invoice' | 'agreement'>) {}

  /** Undefined when yagna does not show the document. */
  async agreementOf(kind: DocumentKind, id: string): Promise<AgreementId | undefined> {
    return await this.agreements.get(`${kind} ${id}`, async () => {
      const found = kind === 'invoice' ? await this.yagna.invoice(id) : await this.yagna.debitNote(id);
      return found?.agreementId;
    });
  }

  /** Undefined when yagna does not show the document or its agreement. */
  async originOf(kind: DocumentKind, id: string): Promise<DocumentOrigin | undefined> {
    const agreementId = await this.agreementOf(kind, id);
    if (agreementId === undefined) return undefined;
    const marked = await this.markOf(agreementId);
    return marked && { agreementId, marked };
  }

  /** The mark in an agreement's demand, and nothing else of that. Undefined when yagna does not show the agreement. */
  async markOf(agreementId: AgreementId): Promise<Properties | undefined> {
    return await this.marks.get(agreementId, async () => {
      const agreement = await this.yagna.agreement(agreementId);
      return agreement && { [PROP.mark]: agreement.demand.properties[PROP.mark] };
    });
  }
}

/** Answers by key. One question serves all who ask meanwhile; what failed or was not there is asked again. */
class Answers<T> {
  private readonly known = new Map<string, Promise<T | undefined>>();

  get(key: string, ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const there = this.known.get(key);
    if (there) return there;
    const asked = ask();
    this.known.set(key, asked);
    const forget = (): void => {
      if (this.known.get(key) === asked) this.known.delete(key);
    };
    asked.then((found) => found === undefined && forget(), forget);
    if (this.known.size > REMEMBERED) {
      for (const oldest of this.known.keys()) {
        this.known.delete(oldest);
        break;
      }
    }
    return asked;
  }
}
