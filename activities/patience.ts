/** How long a call is repeated that fails although yagna is there. One that is away is waited for without end. */
import type { Yagna } from './yagna';

/** A yagna that has come back is given so long to be quite well again. */
const STEADY_MS = 120_000;

/** True when it is the call itself, or whom it is about, that does not come right: somebody else may do better. */
export function isVain(yagna: Pick<Yagna, 'upForMs'>, attempts: number, enough: number): boolean {
  return attempts >= enough && yagna.upForMs() >= STEADY_MS;
}
