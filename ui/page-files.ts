/** The files of the page, read once when the server starts. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const FOLDER = join(__dirname, 'page');

/** @returns one of them */
export function pageFile(name: string): { type: string; text: string } {
  return { type: TYPES[extname(name)] ?? 'text/plain', text: readFileSync(join(FOLDER, name), 'utf8') };
}

/** Serves `index.html` at `/`, and the others under `/page/`. */
export function pageFiles(app: FastifyInstance): void {
  for (const name of readdirSync(FOLDER)) {
    const { type, text } = pageFile(name);
    const path = name === 'index.html' ? '/' : `/page/${name}`;
    app.get(path, (_request, reply) => reply.header('content-type', type).send(text));
  }
}
