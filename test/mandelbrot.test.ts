import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { mandelbrotSpec, readTile, TILES } from '../demo/mandelbrot';
import { writePicture } from '../demo/picture';
import type { TaskResult } from '../model/result';
import { parseJobSpec } from '../model/spec';
import { tempDir } from './support/temp-dir';

const folder = tempDir('mandelbrot');

describe('the Mandelbrot example', () => {
  test('is a valid spec of 16 tasks', () => {
    const reading = parseJobSpec(mandelbrotSpec());
    expect(reading).toMatchObject({ ok: true });
    expect(reading.ok && reading.spec.tasks).toHaveLength(TILES * TILES);
  });

  test('computes a tile with sh and awk alone, and a picture comes of it', async () => {
    const spec = mandelbrotSpec() as { tasks: { name: string; commands: { run: string }[] }[] };
    const task = spec.tasks[TILES + 1]!;
    const { stdout } = spawnSync('/bin/sh', ['-c', task.commands[0]!.run], { encoding: 'utf8' });
    const result: TaskResult = {
      name: task.name,
      state: 'done',
      attempts: [],
      results: [{ index: 0, result: 'Ok', stdout, stderr: null, message: null }],
    };
    const tile = readTile(result);
    expect(tile).toMatchObject({ row: 1, col: 1 });
    const shades = new Set(tile.pixels.flat());
    expect(shades.has(-1)).toBe(true);
    expect(shades.size).toBeGreaterThan(20);

    const file = join(folder, 'picture.png');
    await writePicture([tile], file);
    const picture = PNG.sync.read(await readFile(file));
    expect([picture.width, picture.height]).toEqual([512, 512]);
  });

  test('a tile that was cut is noticed', () => {
    const task = { name: 'tile-0-0', results: [{ stdout: '###\n' }] } as unknown as TaskResult;
    expect(() => readTile(task)).toThrow('tile-0-0 is not a whole tile');
  });
});
