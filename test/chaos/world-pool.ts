/** A few worlds, each used by one run at a time; one in which something was broken makes way for a new one. */
import { ChaosWorld, type ChaosWorldOptions } from './chaos-world';

export class WorldPool {
  private readonly idle: (ChaosWorld | undefined)[];
  private readonly waiting: ((world: ChaosWorld | undefined) => void)[] = [];

  constructor(
    private readonly options: ChaosWorldOptions,
    size: number,
  ) {
    this.idle = Array.from({ length: size }, () => undefined);
  }

  /** Waits its turn for a world. @param isSpoilt the world had better not be used again */
  async use<T>(act: (world: ChaosWorld) => Promise<T>, isSpoilt: (result: T) => boolean): Promise<T> {
    let world = await this.next();
    let isGood = false;
    try {
      world ??= await ChaosWorld.start(this.options);
      const result = await act(world);
      isGood = !isSpoilt(result);
      return result;
    } finally {
      if (!isGood) {
        await world?.close();
        world = undefined;
      }
      const resume = this.waiting.shift();
      if (resume) resume(world);
      else this.idle.unshift(world);
    }
  }

  /** To be called when nobody uses any. */
  async close(): Promise<void> {
    await Promise.all(this.idle.map(async (world) => await world?.close()));
  }

  private async next(): Promise<ChaosWorld | undefined> {
    if (this.idle.length > 0) return this.idle.shift();
    return await new Promise((resolve) => this.waiting.push(resolve));
  }
}
