/** Which versions of yagna this project works with. */
import { foreignText } from '../../model/foreign-text';
import type { Yagna } from './connection';
import { failure } from './errors';

/**
 * The first release that lists the Golem activities of an agreement (`GET /activity?agreementId=`), by which one is found
 * whose creation was not answered; allocations can be amended, and events of payments be asked for, since before it.
 */
export const MIN_YAGNA = '0.17.0';

/**
 * Asks a yagna for its version.
 *
 * @throws YagnaIncompatible - it is older than {@link MIN_YAGNA}, or says something that is no version
 * @throws YagnaError - as every call
 */
export async function supportedVersion(
  yagna: Pick<Yagna, 'connection' | 'version'>,
  signal?: AbortSignal,
): Promise<string> {
  const version = await yagna.version(signal);
  const said = numbers(version);
  const what = `yagna (connection ${yagna.connection})`;
  const wanted = `this version of golem-temporal needs ${MIN_YAGNA} or newer`;
  if (!said) {
    const shown = JSON.stringify(foreignText(version, 60));
    throw failure('YagnaIncompatible', `${what} says that its version is ${shown}, which is none; ${wanted}`);
  }
  if (isOlder(said, numbers(MIN_YAGNA) ?? [])) {
    throw failure('YagnaIncompatible', `${what} is ${foreignText(version, 60)}; ${wanted}: update it`);
  }
  return version;
}

/** `0.17.6-nightly` is 0, 17, 6: a release candidate counts as its release. */
function numbers(version: string): number[] | undefined {
  const match = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+.][\w.+-]{0,50})?$/.exec(version.trim());
  return match?.slice(1).map(Number);
}

function isOlder(version: number[], than: number[]): boolean {
  const at = version.findIndex((number, index) => number !== than[index]);
  return at >= 0 && (version[at] ?? 0) < (than[at] ?? 0);
}
