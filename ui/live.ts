/**
 * What is read once and shown to many: a source is read while somebody looks on, and each viewer has its newest parts.
 * A part is a piece of the page, as JSON; only parts that have changed are told.
 */

/** Takes parts by name; what it was told and has not passed on yet may be replaced. */
export interface Viewer {
  tell(part: string, json: string): void;
}

export abstract class LiveSource {
  private readonly viewers = new Set<Viewer>();
  private readonly parts = new Map<string, string>();
  private stop?: AbortController;
  private lingering?: NodeJS.Timeout;

  /** @param lingerMs - so long it goes on to be read after the last viewer has left: a page that is loaded anew comes back */
  constructor(private readonly lingerMs: number) {}

  /** Reads until it is told to end, and tells parts with {@link tell}. Meets no errors that it does not tell. */
  protected abstract read(signal: AbortSignal): Promise<void>;

  get isRead(): boolean {
    return this.stop !== undefined;
  }

  /** @returns what ends the looking on */
  watch(viewer: Viewer): () => void {
    clearTimeout(this.lingering);
    this.viewers.add(viewer);
    for (const [part, json] of this.parts) viewer.tell(part, json);
    if (!this.stop) {
      this.stop = new AbortController();
      void this.read(this.stop.signal);
    }
    return () => {
      this.viewers.delete(viewer);
      if (this.viewers.size > 0) return;
      this.lingering = setTimeout(() => this.viewers.size === 0 && this.end(), this.lingerMs);
    };
  }

  /** Ends the reading; the next viewer begins it anew. */
  end(): void {
    clearTimeout(this.lingering);
    this.stop?.abort();
    this.stop = undefined;
    this.parts.clear();
  }

  protected tell(part: string, value: unknown): void {
    const json = JSON.stringify(value);
    if (this.parts.get(part) === json) return;
    this.parts.set(part, json);
    for (const viewer of this.viewers) viewer.tell(part, json);
  }
}
