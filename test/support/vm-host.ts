/** A VM host behind a server of its own, with agreements made up by the test: the devnet without its market. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import Libsql from 'libsql';
import type { AgreementTerms, VmHost } from '../../devnet/contract';
import { createVmHost, type VmHostSettings } from '../../devnet/vm';

export interface Effect extends Record<string, unknown> {
  kind: string;
}

export class VmTestbed {
  readonly agreements = new Map<string, AgreementTerms>();
  readonly created: string[] = [];
  readonly destroyed: string[] = [];
  readonly effects: Effect[] = [];
  readonly log: string[] = [];
  /** Has each call wait until its client has gone, and is looked at only then. */
  isSlow = false;
  /** How many calls wait so. */
  held = 0;
  readonly baseUrl: string = '';
  host!: VmHost; // set by start(), without which there is no testbed
  private database!: Libsql.Database; // likewise
  private app!: FastifyInstance; // likewise

  private constructor(
    private readonly settings: VmHostSettings,
    readonly dataDir: string,
  ) {}

  static async start(
    settings: VmHostSettings = {},
    dataDir = mkdtempSync(join(tmpdir(), 'devnet-vm-test-')),
  ): Promise<VmTestbed> {
    const testbed = new VmTestbed(settings, dataDir);
    await testbed.open();
    return testbed;
  }

  /** What a daemon does when it starts on its data directory. */
  async open(): Promise<void> {
    this.database = new Libsql(join(this.dataDir, 'devnet.sqlite'));
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = NORMAL');
    this.host = createVmHost(
      {
        dataDir: this.dataDir,
        database: this.database,
        agreements: {
          find: (id) => this.agreements.get(id),
          fault: () => undefined,
          onActivityCreated: (_agreementId, activityId) => void this.created.push(activityId),
          onActivityDestroyed: (_agreementId, activityId) => void this.destroyed.push(activityId),
        },
        effects: { record: (kind, fields) => void this.effects.push({ kind, ...fields }) },
        log: (line) => void this.log.push(line),
      },
      this.settings,
    );
    this.app = Fastify({ forceCloseConnections: true });
    this.app.decorateRequest('requestorId', '');
    this.app.addHook('onRequest', (request, reply, next) => {
      request.requestorId = String(request.headers['x-requestor'] ?? REQUESTOR);
      if (!this.isSlow) return next();
      this.held += 1;
      reply.raw.once('close', () => {
        this.held -= 1;
        next();
      });
    });
    this.host.registerRoutes(this.app);
    this.host.start();
    const address = await this.app.listen({ host: '127.0.0.1', port: 0 });
    Object.assign(this, { baseUrl: `${address}/activity-api/v1` });
  }

  /** What a daemon does when it is asked to stop. */
  async shut(): Promise<void> {
    await this.host.close();
    await this.app.close();
    this.database.close();
  }

  async close(): Promise<void> {
    await this.shut();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  agreement(terms: Partial<AgreementTerms> = {}): string {
    const agreementId = (this.agreements.size + 1).toString(16).padStart(64, 'a');
    this.agreements.set(agreementId, {
      agreementId,
      state: 'Approved',
      requestorId: REQUESTOR,
      providerId: PROVIDER,
      providerName: 'one',
      taskPackage: '',
      createSec: 0,
      destroySec: 0,
      deploySec: 0,
      startSec: 0,
      reach: 'up',
      isForgotten: false,
      cpuThreads: 64,
      activityLimit: 1,
      unresponsiveSec: 5,
      usageVector: ['golem.usage.cpu_sec', 'golem.usage.duration_sec'],
      ...terms,
    });
    return agreementId;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(this.baseUrl + path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const contentType = response.headers.get('content-type') ?? '';
    return {
      status: response.status,
      contentType,
      body: contentType.includes('json') ? JSON.parse(text) : text,
    };
  }

  /** An activity with its VM started. */
  async vm(terms: Partial<AgreementTerms> = {}, deploy = {}): Promise<Vm> {
    const { body } = await this.call('POST', '/activity', { agreementId: this.agreement(terms) });
    const vm = new Vm(this, (body as { activityId: string }).activityId);
    await vm.script([{ deploy }, { start: {} }]);
    return vm;
  }
}

export interface Answer {
  status: number;
  contentType: string;
  body: unknown;
}

export interface Result {
  index: number;
  result: 'Ok' | 'Error';
  stdout: string | number[] | null;
  stderr: string | number[] | null;
  message: string | null;
  isBatchFinished: boolean;
  eventDate: string;
}

export class Vm {
  constructor(
    readonly testbed: VmTestbed,
    readonly activityId: string,
  ) {}

  call(method: string, path = '', body?: unknown, headers?: Record<string, string>): Promise<Answer> {
    return this.testbed.call(method, `/activity/${this.activityId}${path}`, body, headers);
  }

  async exec(commands: object[]): Promise<string> {
    const { status, body } = await this.call('POST', '/exec', { text: JSON.stringify(commands) });
    if (status !== 200) throw new Error(`exec: ${status} ${JSON.stringify(body)}`);
    return body as string;
  }

  async results(batchId: string, query = ''): Promise<Result[]> {
    const { status, body } = await this.call('GET', `/exec/${batchId}${query}`);
    if (status !== 200) throw new Error(`results: ${status} ${JSON.stringify(body)}`);
    return body as Result[];
  }

  /** Sends a script, and reads its results as soon as one fails or all have ended. */
  async script(commands: object[]): Promise<Result[]> {
    const batchId = await this.exec(commands);
    for (const index of commands.keys()) {
      const results = await this.results(batchId, `?timeout=50&commandIndex=${index}`);
      if (results[index]?.result === 'Error') break;
    }
    return this.results(batchId);
  }

  /** Runs one shell command; its only result. */
  async sh(text: string): Promise<Result> {
    const [result] = await this.script([sh(text)]);
    if (!result) throw new Error('no result');
    return result;
  }

  async usage(): Promise<{ currentUsage?: [cpuSec: number, durationSec: number]; timestamp: number }> {
    return (await this.call('GET', '/usage')).body as { currentUsage?: [number, number]; timestamp: number };
  }

  /** Events of a script from now on, until the loop over them ends. Calls `listening` when the stream is open. */
  async *events(batchId: string, listening: () => Promise<void>): AsyncGenerator<ScriptEvent> {
    const url = `${this.testbed.baseUrl}/activity/${this.activityId}/exec/${batchId}`;
    const abort = new AbortController();
    const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: abort.signal });
    await listening();
    let text = '';
    try {
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk).toString('utf8');
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const [, data = '', id = ''] = /^event: runtime\ndata: (.*)\nid: (\d+)$/.exec(part) ?? [];
          yield { ...(JSON.parse(data) as ScriptEvent), id: Number(id) };
        }
      }
    } finally {
      abort.abort();
    }
  }

  /** Where this machine has a file of the VM. */
  file(path: string): string {
    return join(this.testbed.dataDir, 'vms', this.activityId, 'root', path);
  }

  /**
   * Starts a shell command that does `echo > ready` at some point and then goes on.
   * @returns its batch id, once it has done that
   */
  async untilReady(text: string): Promise<string> {
    await this.sh('mkfifo ready');
    const batchId = await this.exec([sh(text)]);
    await readFile(this.file('/golem/work/ready'));
    return batchId;
  }

  /** Lets a command go on that reads the FIFO `/golem/work/<name>`. */
  async release(name: string): Promise<void> {
    await writeFile(this.file(`/golem/work/${name}`), '');
  }

  async state(): Promise<unknown> {
    return (await this.call('GET', '/state')).body;
  }
}

export interface ScriptEvent {
  batch_id: string;
  index: number;
  timestamp: string;
  kind: Record<string, unknown>;
  id: number;
}

export const REQUESTOR = `0x${'1'.repeat(40)}`;
export const PROVIDER = `0x${'2'.repeat(40)}`;

/** A shell command that uses so much CPU time, by the kernel's count, and ends. */
export function burn(seconds: number): string {
  const fields = '_ _ _ _ _ _ _ _ _ _ _ _ _ user system _';
  const loop = `while read -r ${fields} </proc/self/stat; [ $((user + system)) -lt ${seconds * 100} ]; do :; done`;
  return `/bin/sh -c '${loop}'`;
}

/** A `run` of a shell command that keeps both streams. */
export function sh(text: string): object {
  const capture = { stdout: { atEnd: { format: 'string' } }, stderr: { atEnd: { format: 'string' } } };
  return { run: { entry_point: '/bin/sh', args: ['-c', text], capture } };
}
