/** Puts the tiles together and writes them as a PNG. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PNG } from 'pngjs';
import { PICTURE_PIXELS, SHADES, TILE_PIXELS, type Tile } from './mandelbrot';

type Colour = readonly [number, number, number];

const INSIDE: Colour = [0, 0, 0];
/** Colours at these points of the way from far away (0) to close by (1); those between are blended. */
const PALETTE: readonly (readonly [at: number, colour: Colour])[] = [
  [0, [0, 7, 100]],
  [0.16, [32, 107, 203]],
  [0.42, [237, 255, 255]],
  [0.64, [255, 170, 0]],
  [0.86, [60, 8, 20]],
  [1, [0, 2, 30]],
];

export async function writePicture(tiles: readonly Tile[], file: string): Promise<void> {
  const picture = new PNG({ width: PICTURE_PIXELS, height: PICTURE_PIXELS });
  for (const tile of tiles) {
    tile.pixels.forEach((line, y) => {
      line.forEach((shade, x) => {
        const at = (tile.row * TILE_PIXELS + y) * PICTURE_PIXELS + tile.col * TILE_PIXELS + x;
        picture.data.set([...colourOf(shade), 255], at * 4);
      });
    });
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, PNG.sync.write(picture));
}

function colourOf(shade: number): Colour {
  if (shade < 0) return INSIDE;
  const at = shade / (SHADES - 1);
  const next = PALETTE.findIndex(([point]) => point >= at);
  const [toAt, to] = PALETTE[next] ?? [1, INSIDE];
  const [fromAt, from] = PALETTE[next - 1] ?? [0, to];
  const share = toAt === fromAt ? 0 : (at - fromAt) / (toAt - fromAt);
  const blend = (i: 0 | 1 | 2): number => Math.round(from[i] + (to[i] - from[i]) * share);
  return [blend(0), blend(1), blend(2)];
}
