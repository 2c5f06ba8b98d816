/**
 * A job that really computes something: the Mandelbrot set in 16 tiles, each by one `awk` on one provider, printed
 * as text, one character a pixel. `node dist/demo/mandelbrot.js` prints the spec, to start it anywhere.
 */
import type { TaskResult } from '../model/result';

export const TILES = 4;
export const TILE_PIXELS = 128;
export const PICTURE_PIXELS = TILES * TILE_PIXELS;
/** Shades of a pixel outside the set, from far away to close by. */
export const SHADES = 86;

/** Iterations after which a point counts as inside. */
const LIMIT = 500;
/** Character of a pixel inside the set. The shades are the characters from `(` to `~`, without the backslash. */
const INSIDE = '#';
const FIRST_SHADE = '('.charCodeAt(0);
const BACKSLASH = '\\'.charCodeAt(0);

// Four samples a pixel. The shade grows with the logarithm of the (smoothed) number of iterations.
const TILE_PROGRAM = `BEGIN {
  for (y = 0; y < pixels; y++) {
    line = ""
    for (x = 0; x < pixels; x++) {
      sum = outside = 0
      for (k = 0; k < 4; k++) {
        cr = -2.05 + (col * pixels + x + 0.25 + (k % 2) / 2) * step
        ci = 1.3 - (row * pixels + y + 0.25 + int(k / 2) / 2) * step
        zr = zi = rr = ii = 0
        for (n = 0; n < limit && rr + ii < 256; n++) {
          zi = 2 * zr * zi + ci; zr = rr - ii + cr; rr = zr * zr; ii = zi * zi
        }
        if (n < limit) { outside++; sum += log(n + 2 - log(log(rr + ii)) / log(2)) }
      }
      if (outside == 0) { line = line "${INSIDE}"; continue }
      shade = int(${SHADES - 1} * (sum / outside - 0.6) / 4)
      shade = shade < 0 ? 0 : shade > ${SHADES - 1} ? ${SHADES - 1} : shade
      line = line sprintf("%c", ${FIRST_SHADE} + shade + (shade > ${BACKSLASH - FIRST_SHADE - 1}))
    }
    print line
  }
}`;

/** Needs nothing but `sh` and `awk` (busybox's will do), so any small image can run it. */
export function mandelbrotSpec(): object {
  const tiles = Array.from({ length: TILES * TILES }, (_, i) => ({
    row: Math.floor(i / TILES),
    col: i % TILES,
  }));
  return {
    image: 'golem/alpine:latest',
    budget: '1',
    providers: { max: 5 },
    tasks: tiles.map(({ row, col }) => ({
      name: `tile-${row}-${col}`,
      commands: [{ run: tileCommand(row, col) }],
      timeoutSec: 600,
      onUncertain: 'rerun',
    })),
  };
}

function tileCommand(row: number, col: number): string {
  const variables = { row, col, pixels: TILE_PIXELS, step: 2.6 / PICTURE_PIXELS, limit: LIMIT };
  const given = Object.entries(variables).map(([name, value]) => `-v ${name}=${value}`);
  return `awk ${given.join(' ')} '${TILE_PROGRAM}'`;
}

/** Where a tile belongs, and its pixels row by row: a shade, or -1 inside the set. */
export interface Tile {
  row: number;
  col: number;
  pixels: number[][];
}

/** @throws Error when the task's output is not a whole tile. */
export function readTile(task: TaskResult): Tile {
  const [, row, col] = /^tile-(\d)-(\d)$/.exec(task.name) ?? [];
  const lines = (task.results.at(-1)?.stdout ?? '').trimEnd().split('\n');
  const whole = lines.length === TILE_PIXELS && lines.every((line) => line.length === TILE_PIXELS);
  if (row === undefined || col === undefined || !whole) throw new Error(`${task.name} is not a whole tile`);
  return { row: Number(row), col: Number(col), pixels: lines.map((line) => Array.from(line, shadeOf)) };
}

function shadeOf(character: string): number {
  if (character === INSIDE) return -1;
  const code = character.charCodeAt(0);
  return code - FIRST_SHADE - (code > BACKSLASH ? 1 : 0);
}

if (require.main === module) console.log(JSON.stringify(mandelbrotSpec(), null, 2));
