/**
 * A gRPC proxy between a worker and Temporal that passes everything on and reads along: it learns which workflow tasks
 * the worker takes, and lets a driver act at the moment when the worker says that it has done one.
 */
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { temporal } from '@temporalio/proto';

const {
  PollActivityTaskQueueResponse,
  PollWorkflowTaskQueueResponse,
  RespondActivityTaskCompletedRequest,
  RespondWorkflowTaskCompletedRequest,
} = temporal.api.workflowservice.v1;

/** A workflow task of a run, as it stands in its history. */
export interface WorkflowTask {
  workflowId: string;
  /** Counted from 1, in the order in which they began; a repeat of one that timed out has a number of its own. */
  n: number;
}

/** An attempt at a Temporal activity. */
export interface ActivityTask {
  activity: string;
  workflowId: string;
}

const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';
const POLL = `${SERVICE}PollWorkflowTaskQueue`;
const COMPLETED = `${SERVICE}RespondWorkflowTaskCompleted`;
const POLL_ACTIVITY = `${SERVICE}PollActivityTaskQueue`;
const ACTIVITY_COMPLETED = `${SERVICE}RespondActivityTaskCompleted`;

export class TemporalProxy {
  /** Called when the worker is to get an attempt at an activity; it does not, while this waits and if it says false. */
  onActivityBegun: (task: ActivityTask) => Promise<boolean> | boolean = () => true;
  /** Called when the worker has done one; Temporal does not hear of it, while this waits and if it says false. */
  onActivityDone: (task: ActivityTask) => Promise<boolean> | boolean = () => true;
  /** The same for a workflow task that the worker has done. */
  onDone: (task: WorkflowTask) => Promise<boolean> | boolean = () => true;
  /** Is told of every call, by its method's name such as `RecordActivityTaskHeartbeat`, before it is passed on. */
  onCall: (method: string) => void = () => undefined;
  /** Number of workflow tasks begun, by workflow id. */
  readonly begun = new Map<string, number>();
  private readonly server: Http2Server = createServer();
  private readonly sessions = new Set<ServerHttp2Session>();
  private readonly tasks = new Map<string, WorkflowTask>();
  private readonly activities = new Map<string, ActivityTask>();
  private readonly upstreams = new Set<ClientHttp2Session>();
  private upstream: ClientHttp2Session | undefined;
  private target = '';

  constructor() {
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined);
      session.on('close', () => this.sessions.delete(session));
    });
    this.server.on('stream', (stream, headers) => this.onStream(stream, headers));
  }

  /** @param target `host:port` of Temporal. @returns the proxy's address, for the worker */
  async start(target: string): Promise<string> {
    this.target = target;
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    for (const upstream of this.upstreams) upstream.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = String(headers[':path']);
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const body = Buffer.concat(chunks);
      this.pass(path, headers, body, stream).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
  }

  private async pass(
    path: string,
    headers: IncomingHttpHeaders,
    body: Buffer,
    stream: ServerHttp2Stream,
  ): Promise<void> {
    this.onCall(path.slice(SERVICE.length));
    const done = path === COMPLETED ? this.taskDone(body) : undefined;
    if (done && !(await this.onDone(done))) return;
    const activityDone = path === ACTIVITY_COMPLETED ? this.activityDone(body) : undefined;
    if (activityDone && !(await this.onActivityDone(activityDone))) return;
    if (stream.destroyed) return;
    // Answers that are compressed could not be read along.
    const { ':authority': _authority, 'grpc-accept-encoding': _encoding, ...passed } = headers;
    const request = this.connected().request(passed);
    // A poll of a worker that is dead must take no task.
    stream.on('close', () => request.close(constants.NGHTTP2_CANCEL));
    const chunks: Buffer[] = [];
    let answered: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    request.on('response', (found) => (answered = found));
    request.on('trailers', (found) => (trailers = found));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    request.on('end', () => void reply());
    request.end(body);
    const reply = async (): Promise<void> => {
      const answer = Buffer.concat(chunks);
      if (path === POLL) this.taskBegun(answer);
      const begun = path === POLL_ACTIVITY ? this.activityBegun(answer) : undefined;
      if (begun && !(await this.onActivityBegun(begun))) return;
      if (stream.destroyed) return;
      // An answer without a body has what would be its trailers in its headers.
      if (answered['grpc-status'] !== undefined) return stream.respond(answered, { endStream: true });
      stream.respond(answered, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end(answer);
    };
  }

  /** Temporal asks for a new connection every five minutes, and lets what is under way end on the old one. */
  private connected(): ClientHttp2Session {
    if (this.upstream && !this.upstream.closed && !this.upstream.destroyed) return this.upstream;
    const upstream = connect(`http://${this.target}`);
    const retire = (): void => {
      if (this.upstream === upstream) this.upstream = undefined;
    };
    upstream.setMaxListeners(0);
    upstream.on('error', retire);
    upstream.on('goaway', retire);
    upstream.on('close', () => {
      retire();
      this.upstreams.delete(upstream);
    });
    this.upstreams.add(upstream);
    this.upstream = upstream;
    return upstream;
  }

  private taskBegun(body: Buffer): void {
    const message = messageOf(body);
    if (!message) return;
    const { taskToken, workflowExecution, startedEventId, query } =
      PollWorkflowTaskQueueResponse.decode(message);
    const workflowId = workflowExecution?.workflowId;
    // A query alone is no task of the history.
    if (!taskToken?.length || !workflowId || query || Number(startedEventId) === 0) return;
    const n = (this.begun.get(workflowId) ?? 0) + 1;
    this.begun.set(workflowId, n);
    this.tasks.set(keyOf(taskToken), { workflowId, n });
  }

  private activityBegun(body: Buffer): ActivityTask | undefined {
    const message = messageOf(body);
    if (!message) return undefined;
    const { taskToken, workflowExecution, activityType } = PollActivityTaskQueueResponse.decode(message);
    const [activity, workflowId] = [activityType?.name, workflowExecution?.workflowId];
    if (!taskToken?.length || !activity || !workflowId) return undefined;
    const task = { activity, workflowId };
    this.activities.set(keyOf(taskToken), task);
    return task;
  }

  private activityDone(body: Buffer): ActivityTask | undefined {
    const message = messageOf(body);
    if (!message) return undefined;
    const key = keyOf(RespondActivityTaskCompletedRequest.decode(message).taskToken);
    const task = this.activities.get(key);
    this.activities.delete(key);
    return task;
  }

  private taskDone(body: Buffer): WorkflowTask | undefined {
    const message = messageOf(body);
    if (!message) return undefined;
    const key = keyOf(RespondWorkflowTaskCompletedRequest.decode(message).taskToken);
    const task = this.tasks.get(key);
    this.tasks.delete(key);
    return task;
  }
}

const keyOf = (taskToken: Uint8Array): string => Buffer.from(taskToken).toString('base64');

/** The one message of a unary call: a byte that says whether it is compressed, its length, and itself. */
function messageOf(body: Buffer): Buffer | undefined {
  if (body.length < 5) return undefined;
  const message = body.subarray(5, 5 + body.readUInt32BE(1));
  return body[0] === 1 ? gunzipSync(message) : message;
}
