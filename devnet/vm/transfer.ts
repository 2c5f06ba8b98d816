/**
 * The `transfer` command: one file between a VM and the outside (http, https, file), or within the VM, as a stream.
 * It speaks HTTP from this machine, not from inside the VM.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { fileURLToPath } from 'node:url';
import { hexId } from '../clock';
import type { TransferCommand } from './exe-script';
import { resolveInside } from './vm-path';

/** Where a transfer starts or ends: a file on this machine (of the VM or not), or an HTTP resource. */
type Place = { file: string } | { url: URL };

/** How many bytes have passed, and of how many when that is known. */
export type OnBytes = (bytes: number, size: number | null) => void;

/**
 * @param root host directory of the VM
 * @param volumes paths in the VM that transfers may touch
 * @param onBytes told how far it is, with each piece
 * @throws Error - it failed, with yagna's prefix
 */
export async function transfer(
  command: TransferCommand,
  root: string,
  volumes: readonly string[],
  signal: AbortSignal,
  onBytes: OnBytes = () => undefined,
): Promise<void> {
  try {
    if (command.format !== undefined) throw new Error(`Invalid output format: ${command.format}`);
    const from = await placeOf(command.from, root, volumes);
    const to = await placeOf(command.to, root, volumes);
    if ('file' in from) {
      const source = await stat(from.file);
      if (!source.isFile()) throw new Error(`${command.from} is not a file`);
      const meter = metered(onBytes, source.size);
      if ('file' in to) await writeFile(() => createReadStream(from.file), meter, to.file, signal);
      else await upload(from.file, meter, to.url, signal);
    } else {
      if (!('file' in to))
        throw new Error('one end of a transfer must be a file in the VM or on the provider');
      await download(from.url, onBytes, to.file, signal);
    }
  } catch (error) {
    throw new Error(`Local service error: Transfer error: ${complaint(error, command)}`, { cause: error });
  }
}

async function placeOf(address: string, root: string, volumes: readonly string[]): Promise<Place> {
  if (address.startsWith('/')) return { file: await inVolume(address, root, volumes) };
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new Error(`URL parse error: ${address}`);
  }
  if (url.protocol === 'container:') return { file: await inVolume(decodeURI(url.pathname), root, volumes) };
  if (url.protocol === 'file:') return { file: fileURLToPath(url) };
  if (url.protocol === 'http:' || url.protocol === 'https:') return { url };
  throw new Error(`Unsupported scheme: ${url.protocol.slice(0, -1)}`);
}

async function inVolume(path: string, root: string, volumes: readonly string[]): Promise<string> {
  const file = await resolveInside(root, path);
  const allowed = await Promise.all(['/golem', ...volumes].map((volume) => resolveInside(root, volume)));
  if (allowed.some((volume) => file.startsWith(`${volume}/`))) return file;
  throw new Error(`${path} is in none of the VM's volumes ${volumes.join(', ')}`);
}

async function download(url: URL, onBytes: OnBytes, file: string, signal: AbortSignal): Promise<void> {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  const headers = { 'accept-encoding': 'identity', ...credentials(url) };
  const response = await fetch(bare, { signal, headers });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`HTTP error: ${statusComplaint(response.status, response.statusText)}`);
  }
  const { body } = response;
  const length = response.headers.get('content-length');
  const meter = metered(onBytes, length === null ? null : Number(length));
  await writeFile(
    () => (body ? Readable.fromWeb(body as ReadableStream) : Readable.from([])),
    meter,
    file,
    signal,
  );
}

/** What fetch refuses to take from a URL. */
function credentials({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/**
 * The file appears under its name only when it is whole.
 * @param body opened only when it is read at once, so that none of its errors goes unheard
 */
async function writeFile(
  body: () => Readable,
  meter: Transform,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${hexId(4)}.part`;
  const sink = createWriteStream(partial, { flags: 'wx' });
  const closed = new Promise<void>((resolve) => sink.once('close', () => resolve()));
  // Its error is the pipeline's; it may come when the pipeline has ended.
  sink.on('error', () => undefined);
  try {
    await pipeline(body(), meter, sink, { signal });
    await rename(partial, file);
  } catch (error) {
    // It may be about to make its file.
    sink.destroy();
    await closed;
    await rm(partial, { force: true });
    throw error;
  }
}

/** Passes everything on, and tells how much it was. */
function metered(onBytes: OnBytes, size: number | null): Transform {
  let bytes = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, passOn) {
      bytes += piece.length;
      onBytes(bytes, size);
      passOn(null, piece);
    },
  });
}

async function upload(file: string, meter: Transform, url: URL, signal: AbortSignal): Promise<void> {
  const { size } = await stat(file);
  // With its length, which signed storage URLs insist on and a streaming fetch would not send.
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'PUT',
    headers: { 'content-length': size, 'content-type': 'application/octet-stream' },
    signal,
    agent: false,
  });
  const answered = new Promise<{ status: number; text: string }>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      response.resume();
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, text: response.statusMessage ?? '' }),
      );
      response.once('error', reject);
    });
  });
  // At most the announced length, should the file grow meanwhile.
  const announced = size > 0 ? createReadStream(file, { end: size - 1 }) : Readable.from([]);
  const sent = pipeline(announced, meter, request, { signal }).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  // The answer tells what came of it; a server that refuses may close the connection before it has read everything.
  const { status, text } = await answered;
  if (status < 200 || status > 299) throw new Error(`HTTP error: ${statusComplaint(status, text)}`);
  const failed = await sent;
  if (failed && !request.writableFinished) throw failed.error;
}

function statusComplaint(status: number, text: string): string {
  return `${status < 500 ? 'client' : 'server'} error: ${status} ${text}`.trim();
}

/** Without the query and credentials of a URL, which may be secret. */
function complaint(error: unknown, { from, to }: TransferCommand): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  // Node's end with the path on this machine, which is none of the requestor's business.
  const message = (cause instanceof Error ? cause.message : String(cause)).replace(/, \w+ '.*$/s, '');
  return withoutSecrets(`${message} (from ${from} to ${to})`);
}

function withoutSecrets(text: string): string {
  return text.replace(/(\w+:\/\/)(?:[^/@\s]*@)?([^?\s)]*)(\?[^\s)]*)?/g, '$1$2');
}
