/**
 * What happened when on which provider, from the events of a job: a lane for each provider that was hired, and in it
 * what went on under each agreement. Nothing is guessed: an agreement whose beginning is not kept any more begins
 * where the first event of it is.
 */
import type { JobEvent } from '../client/index';
import type { ProviderInfo } from '../model/result';
import { agreementOf, providerIn, textIn } from './event-fields';

/**
 * `negotiating`: from our counter-proposal to the provider's draft; `signing`: until it is approved; `signed`: no VM yet;
 * `deploying`: the VM is made, image and setup; `script`: a script runs in it; `idle`: none does; `settling`: from the
 * agreement's end to the payment of its last bill; `scripts`: many short ones and the pauses between them, as one;
 * `detached`: left alive on purpose.
 */
export type SegmentKind =
  | 'negotiating'
  | 'signing'
  | 'signed'
  | 'deploying'
  | 'script'
  | 'scripts'
  | 'idle'
  | 'settling'
  | 'detached';

export interface Segment {
  kind: SegmentKind;
  /** ms since the epoch. */
  from: number;
  /** Absent while it lasts. */
  to?: number;
  /** Of a script: the task it is of, where that is known. */
  task?: string;
  /** How it ended, when it ended badly: a script that failed, a bill that was not paid. */
  bad?: string;
  /** Of `scripts`: how many, and how many of them failed. */
  count?: number;
  failed?: number;
}

/** Segments that follow each other. */
export type Row = Segment[];

export interface Mark {
  at: number;
  kind: 'note' | 'refused';
  text: string;
}

export interface Lane {
  provider: ProviderInfo;
  agreements: number;
  /** More than one where agreements, or VMs of one, lived side by side. */
  rows: Row[];
  /** Debit notes that were accepted or refused. */
  marks: Mark[];
  /** Its first events are not kept any more. */
  isCut?: true;
  /** Its oldest segments, so many, are not drawn. */
  undrawn?: number;
}

export interface Timeline {
  /** ms since the epoch; absent where nothing has happened yet. */
  from?: number;
  /** Time of the newest event. */
  to?: number;
  /** In the order in which their providers came. */
  lanes: Lane[];
  /** Providers beyond {@link MOST_LANES} that are not drawn. */
  more: number;
}

export const MOST_LANES = 100;
/** A row with more is drawn in less detail. */
export const MOST_SEGMENTS = 240;
/** And one that cannot be, because it is of very many agreements, without its beginning. */
const MOST_DRAWN = 2 * MOST_SEGMENTS;
const MOST_MARKS = 120;

interface Strip {
  segments: Segment[];
  open?: Segment;
}

/** An agreement while its events are read. */
interface Agreement {
  provider: ProviderInfo;
  /** Before its first VM. */
  before: Strip;
  vms: Map<string, Strip>;
  after: Strip;
  isOver: boolean;
  marks: Mark[];
  isCut: boolean;
}

export interface TimelineFacts {
  /** Of agreements whose events don't tell it: from the job's progress. */
  providers: ReadonlyMap<string, ProviderInfo>;
  /** Tasks by the batch ids of their scripts, from the job's results. */
  tasks: ReadonlyMap<string, string>;
  /** The job and its settlement are over: nothing goes on any more. */
  isOver: boolean;
}

/** @param events - of one job, in the order of time */
export function timelineOf(events: readonly JobEvent[], facts: TimelineFacts): Timeline {
  const reader = new Reader(facts);
  for (const event of events) reader.read(event);
  const times = events.map(({ at }) => Date.parse(at));
  const to = times.length === 0 ? undefined : times.reduce((a, b) => Math.max(a, b));
  const lanes = reader.lanes(facts.isOver ? to : undefined);
  return {
    from: times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b)),
    to,
    lanes: lanes.slice(0, MOST_LANES),
    more: Math.max(0, lanes.length - MOST_LANES),
  };
}

class Reader {
  /** When a proposal came or, where it is ours, was made; and that which it answers. */
  private readonly proposals = new Map<string, { at: number; isOurs: boolean; earlier?: string }>();
  private readonly agreements = new Map<string, Agreement>();
  /** Running scripts by batch id. */
  private readonly scripts = new Map<string, { strip: Strip; segment: Segment }>();
  private readonly invoices = new Set<string>();

  constructor(private readonly facts: TimelineFacts) {}

  read(event: JobEvent): void {
    const at = Date.parse(event.at);
    const { details } = event;
    const id = textIn(details, 'id') ?? '';
    switch (event.name) {
      case 'ProposalReceived':
        this.proposals.set(id, { at, isOurs: false, earlier: textIn(details, 'parentId') });
        return;
      case 'ProposalResponded':
        this.proposals.set(id, { at, isOurs: true, earlier: textIn(details, 'counteringProposalId') });
        return;
      case 'AgreementCreated': {
        const agreement = this.agreement(event, at, false);
        const draft = textIn(details, 'proposalId');
        const begun = this.counteredAt(draft);
        // A draft may have waited to be taken.
        const to = this.proposals.get(draft ?? '')?.at ?? at;
        if (begun !== undefined) agreement.before.segments.push({ kind: 'negotiating', from: begun, to });
        begin(agreement.before, 'signing', at);
        return;
      }
      case 'AgreementConfirmed':
        begin(this.agreement(event, at).before, 'signed', at);
        return;
      case 'AgreementRejected': {
        const agreement = this.agreement(event, at);
        if (agreement.before.open) agreement.before.open.bad = textIn(details, 'reason') ?? 'rejected';
        this.end(agreement, at);
        return;
      }
      case 'ActivityCreated': {
        const agreement = this.agreement(event, at);
        finish(agreement.before, at);
        begin(vmOf(agreement, id), 'deploying', at);
        return;
      }
      case 'ActivityStateChanged':
        this.vmChanged(this.agreement(event, at), id, textIn(details, 'state') ?? '', at);
        return;
      case 'ActivityDestroyed':
        finish(vmOf(this.agreement(event, at), id), at);
        return;
      case 'ScriptSent':
        this.scriptSent(event, at);
        return;
      case 'ScriptExecuted':
        this.scriptEnded(event, at);
        return;
      case 'AgreementTerminated': {
        const agreement = this.agreement(event, at);
        if (agreement.isOver) return;
        this.end(agreement, at);
        begin(agreement.after, 'settling', at);
        return;
      }
      case 'DebitNoteAccepted':
        this.agreement(event, at).marks.push({
          at,
          kind: 'note',
          text: `debit note, ${amountOf(event)} GLM in all`,
        });
        return;
      case 'InvoiceReceived':
        this.invoices.add(id);
        return;
      case 'PaymentConfirmed':
        // A debit note of it may be paid as well.
        if (this.invoices.has(id)) finish(this.agreement(event, at).after, at);
        return;
      case 'PaymentFailed': {
        const agreement = this.agreement(event, at);
        const reason = textIn(details, 'reason') ?? 'not paid';
        agreement.marks.push({ at, kind: 'refused', text: `not paid: ${reason}` });
        if (this.invoices.has(id) && agreement.after.open) agreement.after.open.bad = reason;
        return;
      }
      default:
    }
  }

  /** @param until - when what still lasts is over */
  lanes(until: number | undefined): Lane[] {
    const byProvider = new Map<string, Lane>();
    for (const agreement of this.agreements.values()) {
      const { provider, before, vms, after, marks, isCut } = agreement;
      const lane = byProvider.get(provider.id) ?? { provider, agreements: 0, rows: [], marks: [] };
      byProvider.set(provider.id, lane);
      lane.agreements += 1;
      lane.marks.push(...marks);
      if (isCut) lane.isCut = true;
      for (const strip of [before, ...vms.values(), after]) {
        if (strip.open && until !== undefined) finish(strip, Math.max(until, strip.open.from));
        place(lane.rows, strip.segments);
      }
    }
    return [...byProvider.values()].map((lane) => {
      const rows = lane.rows.map(coarser);
      const undrawn = rows.reduce((sum, row) => sum + Math.max(0, row.length - MOST_DRAWN), 0);
      return {
        ...lane,
        rows: rows.map((row) => row.slice(-MOST_DRAWN)),
        marks: thinned(lane.marks, MOST_MARKS),
        ...(undrawn > 0 ? { undrawn } : {}),
      };
    });
  }

  /** The one that an event is about; of one whose beginning is not kept any more it is the first that is heard. */
  private agreement(event: JobEvent, at: number, isCut = true): Agreement {
    const id = agreementOf(event) ?? '';
    const known = this.agreements.get(id);
    const provider = providerIn(event.details) ?? this.facts.providers.get(id);
    if (known) {
      if (known.provider.id === '' && provider) known.provider = provider;
      return known;
    }
    const made: Agreement = {
      ...{ provider: provider ?? { id: '', name: 'a provider' }, marks: [], isOver: false, isCut },
      ...{ before: { segments: [] }, vms: new Map(), after: { segments: [] } },
    };
    if (isCut && event.name === 'AgreementConfirmed') begin(made.before, 'signing', at);
    this.agreements.set(id, made);
    return made;
  }

  /** When we first answered the offer that a draft came of: it may have lain there long before. */
  private counteredAt(proposalId: string | undefined): number | undefined {
    let at: number | undefined;
    const seen = new Set<string>();
    for (let id = proposalId; id !== undefined && !seen.has(id);) {
      seen.add(id);
      const proposal = this.proposals.get(id);
      if (proposal?.isOurs) at = proposal.at;
      id = proposal?.earlier;
    }
    return at;
  }

  private vmChanged(agreement: Agreement, id: string, state: string, at: number): void {
    const strip = vmOf(agreement, id);
    if (state === 'Ready') begin(strip, 'idle', at);
    else if (state === 'Detached') begin(strip, 'detached', at);
    else if (state !== 'Initialized') finish(strip, at);
  }

  private scriptSent(event: JobEvent, at: number): void {
    const strip = vmOf(this.agreement(event, at), textIn(event.details, 'activityId') ?? '');
    // What brings a VM up is sent as a script, too.
    if (strip.open?.kind === 'deploying') return;
    const batchId = textIn(event.details, 'batchId') ?? '';
    begin(strip, 'script', at);
    if (!strip.open) return;
    strip.open.task = textIn(event.details, 'task') ?? this.facts.tasks.get(batchId);
    this.scripts.set(batchId, { strip, segment: strip.open });
  }

  private scriptEnded(event: JobEvent, at: number): void {
    const batchId = textIn(event.details, 'batchId') ?? '';
    const running = this.scripts.get(batchId);
    if (!running) return;
    this.scripts.delete(batchId);
    const { strip, segment } = running;
    if (event.details.success !== true) segment.bad = 'failed';
    if (strip.open === segment) begin(strip, 'idle', at);
  }

  private end(agreement: Agreement, at: number): void {
    agreement.isOver = true;
    finish(agreement.before, at);
    for (const strip of agreement.vms.values()) finish(strip, at);
  }
}

function vmOf(agreement: Agreement, id: string): Strip {
  const strip = agreement.vms.get(id) ?? { segments: [] };
  agreement.vms.set(id, strip);
  return strip;
}

function begin(strip: Strip, kind: SegmentKind, from: number): void {
  finish(strip, from);
  strip.open = { kind, from };
  strip.segments.push(strip.open);
}

function finish(strip: Strip, at: number): void {
  if (strip.open) strip.open.to = Math.max(at, strip.open.from);
  strip.open = undefined;
}

/** Into the first row that is free by then, or a new one. */
function place(rows: Row[], segments: Segment[]): void {
  const [first] = segments;
  if (!first) return;
  const isFree = (row: Row): boolean => (row.at(-1)?.to ?? Infinity) <= first.from;
  const row = rows.find(isFree);
  if (row) row.push(...segments);
  else rows.push([...segments]);
}

/** Scripts and the pauses between them drawn as one, so many that the row has no more than it may. */
function coarser(row: Row): Row {
  if (row.length <= MOST_SEGMENTS) return row;
  const isSmall = ({ kind, to }: Segment): boolean =>
    (kind === 'script' || kind === 'idle') && to !== undefined;
  const together = Math.ceil((2 * row.length) / MOST_SEGMENTS);
  const made: Row = [];
  let taken: Segment[] = [];
  const flush = (): void => {
    const [first] = taken;
    const scripts = taken.filter(({ kind }) => kind === 'script');
    if (first && scripts.length > 1)
      made.push({
        ...{ kind: 'scripts', from: first.from, to: taken.at(-1)?.to, count: scripts.length },
        failed: scripts.filter(({ bad }) => bad !== undefined).length,
      });
    else made.push(...taken);
    taken = [];
  };
  for (const segment of row) {
    if (!isSmall(segment)) {
      flush();
      made.push(segment);
      continue;
    }
    taken.push(segment);
    if (taken.length >= together) flush();
  }
  flush();
  return made;
}

/** Every n-th, and all that are bad. */
function thinned(marks: Mark[], most: number): Mark[] {
  const notes = marks.filter(({ kind }) => kind === 'note');
  const step = Math.ceil(notes.length / most);
  const kept = new Set(notes.filter((_, i) => (notes.length - 1 - i) % Math.max(1, step) === 0));
  const bad = marks.filter(({ kind }) => kind !== 'note').slice(-most);
  return [...kept, ...bad].sort((a, b) => a.at - b.at);
}

function amountOf({ details }: JobEvent): string {
  return textIn(details, 'amount') ?? '?';
}
