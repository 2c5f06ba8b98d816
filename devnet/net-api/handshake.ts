/** What of a WebSocket's opening handshake is missing, by yagna's names. */
import type { IncomingHttpHeaders } from 'node:http';

/** yagna takes 7, too, which nobody has spoken since 2011. */
const VERSIONS = ['13', '8'];

/** @returns undefined when nothing is. */
export function missingOfHandshake(headers: IncomingHttpHeaders): string | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return 'NoWebsocketUpgrade';
  if (!/upgrade/i.test(headers.connection ?? '')) return 'NoConnectionUpgrade';
  const version = headers['sec-websocket-version'];
  if (version === undefined) return 'NoVersionHeader';
  if (!VERSIONS.includes(version)) return 'UnsupportedVersion';
  return headers['sec-websocket-key'] === undefined ? 'BadWebsocketKey' : undefined;
}
