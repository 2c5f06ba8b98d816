/** Server-sent events: the parts of a live source, to one browser. One that is slow gets only the newest of each part. */
import type { FastifyReply } from 'fastify';
import type { LiveSource } from './live';

/** Without a word for so long a proxy may end the connection, and nobody notices that a browser is gone. */
const BEAT_MS = 15_000;

/** Tells a source's parts until the browser leaves. */
export function streamParts(reply: FastifyReply, source: LiveSource, headers: Record<string, string>): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  const waiting = new Map<string, string>();
  let isBlocked = false;
  const flush = (): void => {
    for (const [part, json] of waiting) {
      if (isBlocked) return;
      waiting.delete(part);
      isBlocked = !raw.write(`event: part\ndata: {"part":${JSON.stringify(part)},"value":${json}}\n\n`);
    }
  };
  raw.on('drain', () => {
    isBlocked = false;
    flush();
  });
  raw.write(`event: clock\ndata: ${Date.now()}\n\n`);
  const beat = setInterval(() => raw.write(': still here\n\n'), BEAT_MS);
  const leave = source.watch({
    tell(part, json) {
      waiting.set(part, json);
      flush();
    },
  });
  raw.on('close', () => {
    clearInterval(beat);
    leave();
  });
}
