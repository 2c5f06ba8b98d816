/**
 * A few worlds, each used by one run at a time; one in which something was broken, or whose Temporal is not the one that
 * the next run needs, makes way for a new one.
 */
import { startTemporalServer, type TemporalServer } from '../../cli/temporal-server';
import { ChaosWorld, type ChaosWorldOptions } from './chaos-world';

/** So many events of a run, and a hurried Temporal suggests that it continue as new. */
const HURRIED_AFTER = 60;

export interface Use<T> {
  /** The world had better not be used again. */
  isSpoilt: (result: T) => boolean;
  /** The world's Temporal suggests soon that workflows continue as new. Default false. */
  isHurried?: boolean;
}

export class WorldPool {
  private readonly idle: (ChaosWorld | undefined)[];
  private readonly waiting: ((world: ChaosWorld | undefined) => void)[] = [];
  private hurried: Promise<TemporalServer> | undefined;

  constructor(
    private readonly options: ChaosWorldOptions,
    size: number,
  ) {
    this.idle = Array.from({ length: size }, () => undefined);
  }

  /** Waits its turn for a world. */
  async use<T>(act: (world: ChaosWorld) => Promise<T>, { isSpoilt, isHurried = false }: Use<T>): Promise<T> {
    let world = await this.next(isHurried);
    let isGood = false;
    try {
      if (world && world.isHurried !== isHurried) {
        const other = world;
        world = undefined;
        await other.close();
      }
      world ??= await this.make(isHurried);
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
    await (await this.hurried)?.close();
  }

  /** The fitting one, of those that are idle. */
  private async next(isHurried: boolean): Promise<ChaosWorld | undefined> {
    if (this.idle.length > 0) {
      const fitting = this.idle.findIndex((world) => world?.isHurried === isHurried);
      const empty = this.idle.indexOf(undefined);
      const [world] = this.idle.splice(fitting >= 0 ? fitting : Math.max(0, empty), 1);
      return world;
    }
    return await new Promise((resolve) => this.waiting.push(resolve));
  }

  private async make(isHurried: boolean): Promise<ChaosWorld> {
    if (!isHurried) return await ChaosWorld.start(this.options);
    this.hurried ??= startTemporalServer({
      dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': HURRIED_AFTER },
    });
    const { address } = await this.hurried;
    return await ChaosWorld.start({ ...this.options, temporalAddress: address, isHurried });
  }
}
