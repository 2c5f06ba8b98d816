/**
 * Serves a folder of the worker's machine to the VMs of its jobs: `files:/x` in a transfer becomes an address that is good
 * for that one file, for reading or for writing, and for a while. For the devnet, and for workers that providers can reach;
 * large outputs then pass neither through yagna nor through Temporal.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { lstat, mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { IncomingMessage } from 'node:http';
import { send } from '@fastify/send';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { WorkerFiles } from '../activities/worker-files';
import { fileProblem } from '../model/file-problem';
import { admits, folderSecret, pass, SECRET_FILE, type Access } from './signed-paths';

export interface FileServerOptions {
  /** What is served. It must be there. */
  folder: string;
  /** Default `127.0.0.1`. */
  host?: string;
  /** Default 7480; 0 for any that is free. Addresses that were given hold across a restart only on the same port. */
  port?: number;
  /** What providers reach the server by, such as `https://files.example.org`. Default: where it listens. */
  publicUrl?: string;
  /** Longest file that is taken, bytes. Default 16 GiB. */
  maxBytes?: number;
}

export const DEFAULT_FILES_PORT = 7480;
const DEFAULT_MAX_BYTES = 16 * 1024 ** 3;

export interface FileServer extends WorkerFiles {
  /** Where it is reached by providers. */
  url: string;
  close(): Promise<void>;
}

/** @throws Error - the folder is none, or the port is taken */
export async function startFileServer(options: FileServerOptions): Promise<FileServer> {
  const { folder, host = '127.0.0.1', port = DEFAULT_FILES_PORT, maxBytes = DEFAULT_MAX_BYTES } = options;
  const root = await realFolder(folder);
  const secret = await folderSecret(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === undefined) throw error;
    throw new Error(`cannot use ${join(folder, SECRET_FILE)}: ${fileProblem(error, 'write')}`);
  });
  await removeLeftParts(root);
  const app = Fastify({ logger: false, forceCloseConnections: true, exposeHeadRoutes: true });
  serve(app, root, secret, maxBytes);
  const listening = await app.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new Error(
      `port ${port} is taken by another program: give another one with --files-listen HOST:PORT`,
    );
  });
  const url = (options.publicUrl ?? listening).replace(/\/$/, '');
  return {
    url,
    sign(path, access, untilMs) {
      const encoded = path.split('/').map(encodeURIComponent).join('/');
      return `${url}/${PREFIX}/${pass(secret, access, path, untilMs)}${encoded}`;
    },
    close: async () => {
      await app.close();
    },
  };
}

/** The first part of each address; results that quote one are known by it. */
const PREFIX = 'golem-files';

async function realFolder(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => undefined);
  if (real !== undefined && (await stat(real)).isDirectory()) return real;
  throw new Error(`${folder} is no folder: create it, or give another one`);
}

function serve(app: FastifyInstance, root: string, secret: Buffer, maxBytes: number): void {
  // Bodies are files: they go to the disk as they come.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  const admitted = (request: FastifyRequest, access: Access): string | undefined => {
    const { pass: given = '', '*': rest = '' } = request.params as Record<string, string | undefined>;
    const path = `/${rest}`;
    const isPlain = rest.split('/').every((part) => !['', '.', '..', SECRET_FILE].includes(part));
    const isSafe = isPlain && !/[\\\0]/.test(path);
    return isSafe && admits(secret, given, access, path, Date.now()) ? path : undefined;
  };
  app.get(`/${PREFIX}/:pass/*`, async (request, reply) => {
    const path = admitted(request, 'GET');
    if (path === undefined || !(await isInside(root, join(root, path)))) return refuse(reply);
    const found = await send(request.raw, path.split('/').map(encodeURIComponent).join('/'), {
      ...{ root, dotfiles: 'allow', index: false, cacheControl: false },
    });
    return reply.code(found.statusCode).headers(found.headers).send(found.stream);
  });
  app.put(`/${PREFIX}/:pass/*`, async (request, reply) => {
    const path = admitted(request, 'PUT');
    if (path === undefined) return refuse(reply);
    const file = join(root, path);
    if (!(await isFolderInside(root, dirname(file)))) return refuse(reply);
    await mkdir(dirname(file), { recursive: true });
    if (!(await isInside(root, dirname(file)))) return refuse(reply);
    return (await take(request.raw, file, maxBytes)) ? reply.code(201).send() : reply.code(413).send();
  });
  app.setNotFoundHandler((_request, reply) => refuse(reply));
}

/** The same for what is not there, what nobody may have, and what has ended. */
function refuse(reply: FastifyReply): FastifyReply {
  return reply.code(404).send();
}

/** Links must not lead out of the folder. */
async function isInside(root: string, file: string): Promise<boolean> {
  const real = await realpath(file).catch(() => undefined);
  return real === undefined || real === root || real.startsWith(root + sep);
}

/** One that is not there is where it would be made. A link that leads nowhere leads out. */
async function isFolderInside(root: string, folder: string): Promise<boolean> {
  let there = folder;
  while (!(await lstat(there).catch(() => undefined))) there = dirname(there);
  return (await realpath(there).catch(() => undefined)) !== undefined && (await isInside(root, there));
}

/** So long after the last byte nobody writes to it: its worker was killed. */
const LEFT_AFTER_MS = 3_600_000;

/** Other workers may serve the same folder, and be at it. */
async function removeLeftParts(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const at = join(folder, entry.name);
    if (entry.isDirectory()) await removeLeftParts(at);
    if (!entry.isFile() || !PART.test(entry.name)) continue;
    const { mtimeMs = Infinity } = (await stat(at).catch(() => undefined)) ?? {};
    if (mtimeMs < Date.now() - LEFT_AFTER_MS) await rm(at, { force: true });
  }
}

const PART = /^\..+\.[0-9a-f]{12}\.part$/;

/** A reader finds the old file or the new one, never a part. @returns false for one that is too long */
async function take(body: IncomingMessage, file: string, maxBytes: number): Promise<boolean> {
  if (Number(body.headers['content-length'] ?? 0) > maxBytes) return false;
  const part = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.part`);
  let bytes = 0;
  let isTooLong = false;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      isTooLong ||= bytes > maxBytes;
      done(isTooLong ? new Error('too long') : null, chunk);
    },
  });
  try {
    await pipeline(body, meter, createWriteStream(part, { flags: 'wx' }));
    await rename(part, file);
    return true;
  } catch (error) {
    await rm(part, { force: true });
    if (isTooLong) return false;
    throw error;
  }
}
