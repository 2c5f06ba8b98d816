/**
 * The events of a job, merged from those its workflows keep. A workflow is asked only when something has happened
 * in it since the cursor, which the length of its history tells.
 */
import { WorkflowNotFoundError } from '@temporalio/common';
import type { GolemEvent } from '../model/events';
import { rentalId, settlementId } from '../model/ids';
import type { JobProgress } from '../model/result';
import { fewAtATime } from '../model/few-at-a-time';
import { belongsTo, JOB_TYPE, RENTAL_TYPE, type JobWorkflows, type Seen } from './job-workflows';

/**
 * Asked at a time: of a workflow that is over a worker has to replay the whole history for each answer, and one that
 * answers fifty such queries at once answers none of them in time.
 */
const MOST_QUERIES = 4;

/** An event and the workflow that tells it. */
export interface JobEvent extends GolemEvent {
  workflowId: string;
}

export interface EventsPage {
  /** In the order of time. */
  events: JobEvent[];
  /** Where the next page begins. Opaque; keep it as it is. */
  cursor: string;
}

export interface EventsPageState extends EventsPage {
  /** True when nothing more can come. */
  over: boolean;
  /** True when more has happened already. */
  more: boolean;
}

/** How far one workflow has been read. */
interface Position {
  /** The run that was read last. */
  runId: string;
  /** First of the runs that it continues: through all of them events are numbered on. */
  firstRunId: string;
  /** Newest event read. */
  seq: number;
  /** Place in the order of time that it has reached, ms since the epoch. */
  ms: number;
  /** Length of the history when all of it had been read; 0 where something is left. */
  drained: number;
  /** It has ended and been read to its end. */
  over?: true;
}

interface Cursor {
  /** The job that the cursor is of: an id may be used again. */
  jobUuid?: string;
  /** How many rentals the job had. */
  rentals: number;
  positions: Record<string, Position>;
}

/**
 * An event and its place in the order of time. A workflow may hear of an earlier thing after a later one; its own
 * order stands, or a page could end between the two and the next one miss or repeat them.
 */
interface Placed {
  event: JobEvent;
  ms: number;
}

interface Source {
  workflowId: string;
  seen: Seen;
  position: Position;
  events: Placed[];
  /** True when `events` is all there is. */
  complete: boolean;
}

/** One page of at most `limit` events after `after`. */
export async function eventsPage(
  workflows: JobWorkflows,
  jobId: string,
  after: string | undefined,
  limit: number,
): Promise<EventsPageState> {
  return await new EventsReader(workflows, jobId, after).page(limit);
}

/**
 * Reads page after page. What a workflow has told and no page yet is kept, also when another one didn't answer: each event
 * is asked for once.
 */
export class EventsReader {
  private readonly cursor: Cursor;
  private readonly held = new Map<string, Source>();

  constructor(
    private readonly workflows: JobWorkflows,
    private readonly jobId: string,
    after?: string,
  ) {
    this.cursor = decodeCursor(after);
  }

  /** The next events, at most `limit`. @throws NoAnswerError - then the same page can be asked for again */
  async page(limit: number): Promise<EventsPageState> {
    const { positions } = this.cursor;
    const sources = await fewAtATime(await this.openWorkflows(), MOST_QUERIES, ([id, seen]) =>
      this.sourceOf(id, seen, limit),
    );
    // Of a workflow that may have more to tell nobody knows what comes after the last that was read.
    const horizonMs = Math.min(
      ...sources.filter(({ complete }) => !complete).map(({ events }) => events.at(-1)?.ms ?? Infinity),
    );
    // The sort is stable: of one workflow's events none overtakes another.
    const page = sources
      .flatMap(({ events }) => events.filter(({ ms }) => ms <= horizonMs))
      .sort((a, b) => a.ms - b.ms)
      .slice(0, limit);
    for (const source of sources) {
      const { workflowId, seen, position } = source;
      const told = page.filter(({ event }) => event.workflowId === workflowId);
      const newest = told.at(-1);
      const left = source.events.slice(told.length);
      const isDrained = source.complete && left.length === 0;
      positions[workflowId] = {
        runId: position.runId,
        firstRunId: position.firstRunId,
        seq: newest?.event.seq ?? position.seq,
        ms: newest?.ms ?? position.ms,
        drained: isDrained ? seen.historyLength : 0,
        ...(isDrained && !seen.running ? { over: true } : {}),
      };
      if (left.length > 0)
        this.held.set(workflowId, { ...source, position: positions[workflowId], events: left });
      else this.held.delete(workflowId);
    }
    const over = sources.every(({ workflowId }) => positions[workflowId]?.over);
    const more = this.held.size > 0 || sources.some(({ complete }) => !complete);
    return { events: page.map(({ event }) => event), cursor: encodeCursor(this.cursor), over, more };
  }

  /** Those that belong to the job and may have something to tell. */
  private async openWorkflows(): Promise<[string, Seen][]> {
    const { cursor, jobId, workflows } = this;
    const job = await workflows.describe(jobId);
    if (job?.type === RENTAL_TYPE) return [[jobId, job]];
    if (job?.type !== JOB_TYPE) throw workflows.unknown(jobId, job?.type);
    const isSameJob = cursor.jobUuid === job.firstRunId;
    if (!isSameJob) this.held.clear();
    const last = cursor.positions[jobId];
    if (last?.drained !== job.historyLength || last.runId !== job.runId) {
      const progress = await workflows.query<JobProgress>(jobId, 'progress');
      cursor.rentals = Math.max(cursor.rentals, ...progress.rentals.map((rental) => rental.n));
    }
    cursor.jobUuid = job.firstRunId;
    const children = [settlementId(jobId)];
    for (let n = 1; n <= cursor.rentals; n++) {
      const id = rentalId(jobId, n);
      // Nothing more comes from a rental that is over.
      if (!isSameJob || !cursor.positions[id]?.over) children.push(id);
    }
    const described = await Promise.all(children.map((id) => workflows.describe(id)));
    const open: [string, Seen][] = [[jobId, job]];
    children.forEach((id, index) => {
      const seen = described[index];
      if (belongsTo(seen, job)) open.push([id, seen]);
    });
    return open;
  }

  private async sourceOf(workflowId: string, seen: Seen, limit: number): Promise<Source> {
    const held = this.held.get(workflowId);
    const hasNews = held?.seen.runId !== seen.runId || held.seen.historyLength !== seen.historyLength;
    if (held && !hasNews) return held;
    if (held && held.events.length > 0) return { ...held, complete: false };
    const source = await readSource(
      this.workflows,
      workflowId,
      seen,
      this.cursor.positions[workflowId],
      limit,
    );
    this.held.set(workflowId, source);
    return source;
  }
}

async function readSource(
  workflows: JobWorkflows,
  workflowId: string,
  seen: Seen,
  last: Position | undefined,
  limit: number,
): Promise<Source> {
  const none = { workflowId, seen, events: [], complete: true };
  if (last?.runId === seen.runId && last.drained === seen.historyLength) return { ...none, position: last };
  const { runId, firstRunId } = seen;
  const goesOn = last?.firstRunId === firstRunId;
  const position = { runId, firstRunId, seq: goesOn ? last.seq : 0, ms: last?.ms ?? 0, drained: 0 };
  const events = await readEvents(workflows, workflowId, position, limit);
  // What this run doesn't know, because too much was there to carry or it began from nothing, those before it do.
  const first = events[0]?.event.seq ?? position.seq + 1;
  const from = last ?? { ...position, runId: firstRunId };
  const isOther = last !== undefined && !goesOn;
  const isBehind = isOther ? last.seq > 0 : first > position.seq + 1;
  if (from.runId !== runId && isBehind) {
    const earlier = await earlierEvents(workflows, workflowId, from, runId, limit);
    const missing = earlier.events.filter(({ event }) => isOther || event.seq < first);
    if (missing.length > 0) return { ...none, position: earlier.position, events: missing, complete: false };
  }
  return { ...none, position, events, complete: events.length < limit };
}

/** Of a run, or else of the first after it that has some, before a run that is read. */
async function earlierEvents(
  workflows: JobWorkflows,
  workflowId: string,
  from: Position,
  untilRunId: string,
  limit: number,
): Promise<{ position: Position; events: Placed[] }> {
  let runId: string | undefined = from.runId;
  while (runId !== undefined && runId !== untilRunId) {
    const position: Position = { ...from, runId };
    const events = await leftIn(workflows, workflowId, position, limit);
    if (events.length > 0) return { position, events };
    runId = await workflows.runAfter(workflowId, runId);
  }
  return { position: from, events: [] };
}

/** What a run that is over has to tell beyond its position; nothing where it is no longer kept. */
async function leftIn(
  workflows: JobWorkflows,
  workflowId: string,
  position: Position,
  limit: number,
): Promise<Placed[]> {
  try {
    return await readEvents(workflows, workflowId, position, limit);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

async function readEvents(
  workflows: JobWorkflows,
  workflowId: string,
  { runId, seq, ms }: Position,
  limit: number,
): Promise<Placed[]> {
  const events = await workflows.query<GolemEvent[]>(workflowId, 'events', [{ after: seq, limit }], runId);
  let reached = ms;
  return events.map((event) => {
    reached = Math.max(reached, Date.parse(event.at));
    return { event: { ...event, workflowId }, ms: reached };
  });
}

function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

function decodeCursor(text: string | undefined): Cursor {
  if (text === undefined || text === '') return { rentals: 0, positions: {} };
  try {
    const cursor = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<Cursor>;
    const { rentals, positions, jobUuid } = cursor;
    if (typeof rentals === 'number' && typeof positions === 'object') return { rentals, positions, jobUuid };
  } catch {
    // Told below.
  }
  throw new TypeError('this is no cursor that `events` gave');
}
