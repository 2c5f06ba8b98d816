/**
 * Stands before a Temporal server as a cloud does: TLS with a certificate of its own authority, and no call without the API
 * key.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, constants, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';

export interface TlsFront {
  /** `localhost:<port>`, the name in its certificate. */
  address: string;
  /** Calls that had the key, and that had not, by the last part of their path. */
  let: Set<string>;
  refused: Set<string>;
  close(): Promise<void>;
}

const UNAUTHENTICATED = '16';

/**
 * @param server - `host:port` of the server, which speaks plainly
 * @param caFile - where to write the certificate of its authority
 */
export async function startTlsFront(server: string, apiKey: string, caFile: string): Promise<TlsFront> {
  const names = [{ type: 2 as const, value: 'localhost' }];
  const extensions = [{ name: 'subjectAltName' as const, altNames: names }];
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...{ extensions, algorithm: 'sha256' },
  });
  writeFileSync(caFile, cert);
  const behind = connect(`http://${server}`);
  await once(behind, 'connect');
  const seen = { let: new Set<string>(), refused: new Set<string>() };
  const front = createSecureServer({ cert, key });
  front.on('stream', (stream, headers) => {
    const call = String(headers[':path']).split('/').at(-1) ?? '';
    const isLet = headers.authorization === `Bearer ${apiKey}`;
    seen[isLet ? 'let' : 'refused'].add(call);
    if (isLet) forward(stream, behind.request({ ...headers, ':authority': server, ':scheme': 'http' }));
    else
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': UNAUTHENTICATED },
        { endStream: true },
      );
  });
  const sessions = new Set<{ destroy(): void }>();
  front.on('session', (session) => void sessions.add(session));
  front.listen(0, 'localhost');
  await once(front, 'listening');
  return {
    ...seen,
    address: `localhost:${(front.address() as AddressInfo).port}`,
    async close() {
      for (const session of sessions) session.destroy();
      behind.destroy();
      front.close();
      await once(front, 'close');
    },
  };
}

/** With the trailers, in which gRPC has its status. */
function forward(
  stream: ServerHttp2Stream,
  request: ReturnType<ReturnType<typeof connect>['request']>,
): void {
  const giveUp = (): void => {
    request.close(constants.NGHTTP2_CANCEL);
    stream.close(constants.NGHTTP2_CANCEL);
  };
  let trailers: object = {};
  stream.pipe(request);
  request.on('response', ({ ':status': status, ...headers }, flags) => {
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond({ ':status': status, ...headers }, { endStream: isWhole, waitForTrailers: !isWhole });
    if (!isWhole) request.pipe(stream);
  });
  request.on('trailers', (sent) => (trailers = sent));
  stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
  stream.on('aborted', giveUp);
  for (const each of [stream, request]) each.on('error', giveUp);
}
