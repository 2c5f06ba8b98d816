/** Server-sent events of the activity API: a script's events as they happen, and the monitor of all activities. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GolemActivity } from '../vm/golem-activity';
import type { Host } from '../vm/host';
import { formatNanos, nowNanos } from '../clock';

const PING_MS = 15_000;
/** A client that reads this much too slowly is cut off. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/**
 * Sends a script's events from now on, without those that came before, until the client hangs up. As with yagna, pings
 * come only once there is nothing more to hear: the script is unknown, or its VM is gone.
 */
export function streamScript(
  host: Host,
  activity: GolemActivity,
  batchId: string,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (request.lateFault?.replacesAnswer) return reply.send();
  const stream = new EventStream(host, request, reply);
  const script = activity.scripts.get(batchId);
  if (!script) {
    stream.ping();
    return reply;
  }
  let id = 0;
  const stop = script.listen((event) => {
    stream.write(`event: runtime\ndata: ${JSON.stringify(event)}\nid: ${id++}\n\n`);
  });
  const ended = (): void => {
    if (activity.reachable) return;
    activity.progress.remove(ended);
    stream.ping();
  };
  activity.progress.add(ended);
  stream.onClose(() => {
    stop();
    activity.progress.remove(ended);
  });
  return reply;
}

/** The requestor's activities, now and at each change. */
export function streamActivities(host: Host, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (request.lateFault?.replacesAnswer) return reply.send();
  const stream = new EventStream(host, request, reply);
  const tell = (): void => {
    const activities = host.liveActivities().flatMap(({ activityId, agreementId }) => {
      const activity = host.find(activityId);
      const terms = host.terms(agreementId);
      if (!activity || terms?.requestorId !== request.requestorId) return [];
      const [state] = activity.state.state;
      return [{ id: activityId, state, exeUnit: 'vm', providerId: terms.providerId, agreementId }];
    });
    stream.write(`data: ${JSON.stringify({ ts: formatNanos(nowNanos()), activities })}\r\n\r\n`);
  };
  tell();
  host.changes.add(tell);
  stream.onClose(() => host.changes.remove(tell));
  return reply;
}

/** One open answer. Ends when the client hangs up, which it may have done before, or the host closes. */
class EventStream {
  private readonly raw;
  private readonly fault;
  private pinging: NodeJS.Timeout | undefined;

  constructor(host: Host, request: FastifyRequest, reply: FastifyReply) {
    reply.hijack();
    this.raw = reply.raw;
    this.fault = request.lateFault;
    this.fault?.onStream(this.raw);
    this.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    this.raw.flushHeaders();
    const close = (): void => void this.raw.end();
    host.closing.signal.addEventListener('abort', close, { once: true });
    if (host.closing.signal.aborted) close();
    this.onClose(() => {
      clearInterval(this.pinging);
      host.closing.signal.removeEventListener('abort', close);
    });
  }

  write(text: string): void {
    if (this.raw.writableEnded || this.raw.destroyed) return;
    if (this.raw.writableLength > MAX_UNREAD_BYTES) this.raw.destroy();
    else this.raw.write(text, () => this.fault?.onEvent(this.raw));
  }

  /** Now, and every 15 s. */
  ping(): void {
    if (this.raw.destroyed) return;
    this.write(':ping\n');
    this.pinging = setInterval(() => this.write(':ping\n'), PING_MS);
  }

  onClose(action: () => void): void {
    if (this.raw.destroyed) action();
    else this.raw.once('close', action);
  }
}
