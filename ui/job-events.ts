/** The events of one job as a page keeps them: each once, however often it is read, and how many there were before. */
import type { JobEvent } from '../client/index';

/** Kept for a page; a job may have had more. */
export const MOST_EVENTS = 20_000;

export class KeptEvents {
  private kept: JobEvent[] = [];
  private dropped = 0;
  private readonly newest = new Map<string, number>();
  private readonly gaps = new Map<string, number>();

  get all(): readonly JobEvent[] {
    return this.kept;
  }

  get count(): number {
    return this.dropped + this.kept.length;
  }

  /** @returns false when it is known already */
  add(event: JobEvent): boolean {
    const before = this.newest.get(event.workflowId) ?? 0;
    if (event.seq <= before) return false;
    if (event.seq > before + 1)
      this.gaps.set(event.workflowId, (this.gaps.get(event.workflowId) ?? 0) + event.seq - before - 1);
    this.newest.set(event.workflowId, event.seq);
    this.kept.push(event);
    if (this.kept.length > MOST_EVENTS * 1.1) {
      const from = this.kept.length - MOST_EVENTS;
      this.kept = this.kept.slice(from);
      this.dropped += from;
    }
    return true;
  }

  /** Events that are not here: workflows keep only their newest, and so does this. */
  get missing(): number {
    return this.dropped + [...this.gaps.values()].reduce((sum, gap) => sum + gap, 0);
  }

  /**
   * The newest of those before a place, newest first.
   * @param before - place from the beginning; default: behind the last
   * @param find - only events that have this text in them
   */
  page(
    limit: number,
    { before = this.count, find = '' }: { before?: number; find?: string } = {},
  ): EventsSlice {
    const wanted = find.toLowerCase();
    const events: PlacedEvent[] = [];
    let at = Math.min(before, this.count) - 1;
    for (; at >= this.dropped && events.length < limit; at--) {
      const event = this.kept[at - this.dropped];
      if (event && (wanted === '' || textOf(event).includes(wanted))) events.push({ ...event, place: at });
    }
    return { events, more: at >= this.dropped };
  }
}

export interface PlacedEvent extends JobEvent {
  place: number;
}

export interface EventsSlice {
  events: PlacedEvent[];
  /** There are earlier ones. */
  more: boolean;
}

function textOf({ name, workflowId, details }: JobEvent): string {
  return `${name} ${workflowId} ${JSON.stringify(details)}`.toLowerCase();
}
