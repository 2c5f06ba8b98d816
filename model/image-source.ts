/** The image a job runs in, as its spec names it; `activities/image.ts` finds out where it is. */

/** `tag` and `hash` are looked up in the Golem registry; a `url` is taken as it is, its hash computed if not given. */
export type ImageSource = { tag: string } | { hash: string } | { url: string; hash?: string };

export const IMAGE_TAG = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9._-]+)*(:[A-Za-z0-9._-]+)?$/;
/** SHA3-224 of the image file. */
export const IMAGE_HASH = /^[0-9a-fA-F]{56}$/;
export const IMAGE_URL = /^https?:\/\/[^\s/]+\S*$/;
const TASK_PACKAGE = /^hash:sha3:([0-9a-fA-F]{56}):(https?:\/\/[^\s/]+\S*)$/;

/** Reads the short form of an image, or undefined when it is none. */
export function readImageSource(text: string): ImageSource | undefined {
  const taskPackage = TASK_PACKAGE.exec(text);
  if (taskPackage?.[1] !== undefined && taskPackage[2] !== undefined) {
    return { url: taskPackage[2], hash: taskPackage[1].toLowerCase() };
  }
  if (IMAGE_HASH.test(text)) return { hash: text.toLowerCase() };
  if (IMAGE_URL.test(text)) return { url: text };
  if (IMAGE_TAG.test(text)) return { tag: text };
  return undefined;
}
