/**
 * Finds out where the image of a job is: by tag or hash in the Golem registry, as the Golem JavaScript SDK asks it,
 * or at a URL of the user's own. No Temporal activity of its own: checking a spec is one, and this is its last step.
 */
import { createHash } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { FailureType } from '../model/failures';
import { IMAGE_HASH, IMAGE_URL, type ImageSource } from '../model/image-source';
import type { ImageSpec } from '../model/job';
import { httpUrl } from './http-url';

export const DEFAULT_REGISTRY_URL = 'https://registry.golem.network';

/**
 * GOLEM_REGISTRY_URL. Default {@link DEFAULT_REGISTRY_URL}.
 * @throws UnknownConnection - it is no URL to ask
 */
export function readRegistryUrl(env: Readonly<Record<string, string | undefined>>): string {
  const given = httpUrl.safeParse(env.GOLEM_REGISTRY_URL || DEFAULT_REGISTRY_URL);
  if (given.success) return given.data;
  throw ApplicationFailure.nonRetryable(
    `GOLEM_REGISTRY_URL: ${given.error.issues[0]?.message}`,
    'UnknownConnection',
  );
}

/** The registry answers in well under a second; longer than this, a retry is the better bet. */
const LOOKUP_TIMEOUT_MS = 20_000;

export interface ImageResolving {
  /** Base URL of the registry. Default {@link DEFAULT_REGISTRY_URL}; the worker passes its `GOLEM_REGISTRY_URL`. */
  registryUrl?: string;
  fetch?: typeof fetch;
  /** Ends the look-up or the download early. */
  signal?: AbortSignal;
}

const imageInfo = z.object({
  sha3: z.string().regex(IMAGE_HASH),
  http: z.string().regex(IMAGE_URL),
});

/**
 * Turns what the spec says about the image into what the demand says.
 *
 * Effect: none but the registry's count of look-ups. An image by URL without a hash is downloaded once for its
 * hash, since providers take none without.
 * @throws ImageNotFound - the registry or the server knows no such image (not retried)
 * @throws RegistryUnavailable - no answer, a server's error or an unreadable answer (retried)
 */
export async function resolveImage(
  image: ImageSource & { label: string },
  resolving: ImageResolving = {},
): Promise<ImageSpec> {
  const { label } = image;
  if ('url' in image) {
    const hash = image.hash ?? (await hashOf(image.url, resolving));
    return { taskPackage: `hash:sha3:${hash}:${image.url}`, label };
  }
  const query = 'tag' in image ? `tag=${image.tag}` : `hash=${image.hash}`;
  const { sha3, http } = await lookUp(query, label, resolving);
  return { taskPackage: `hash:sha3:${sha3}:${http}`, label };
}

async function lookUp(
  query: string,
  label: string,
  resolving: ImageResolving,
): Promise<z.output<typeof imageInfo>> {
  const registryUrl = (resolving.registryUrl ?? DEFAULT_REGISTRY_URL).replace(/\/+$/, '');
  const timeout = AbortSignal.timeout(LOOKUP_TIMEOUT_MS);
  const signal = resolving.signal ? AbortSignal.any([timeout, resolving.signal]) : timeout;
  const what = `the Golem registry at ${registryUrl}`;
  const body = await answered(what, resolving.signal, async () => {
    const response = await (resolving.fetch ?? fetch)(`${registryUrl}/v1/image/info?count=true&${query}`, {
      signal,
    });
    await refuseErrors(response, what, `no image "${label}"`);
    return response.text();
  });
  const info = imageInfo.safeParse(readJson(body));
  if (!info.success) throw unavailable(`${what} answered something unreadable: ${firstLine(body)}`);
  return info.data;
}

async function hashOf(url: string, resolving: ImageResolving): Promise<string> {
  const what = `the server of the image ${url}`;
  return answered(what, resolving.signal, async () => {
    const response = await (resolving.fetch ?? fetch)(url, { signal: resolving.signal });
    await refuseErrors(response, what, `no such file`);
    const hash = createHash('sha3-224');
    for await (const chunk of response.body ?? []) hash.update(chunk);
    return hash.digest('hex');
  });
}

/** Runs a request; what breaks the connection is named, a cancellation by the caller is passed on as it is. */
async function answered<T>(
  what: string,
  signal: AbortSignal | undefined,
  request: () => Promise<T>,
): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof ApplicationFailure || signal?.aborted) throw error;
    throw unavailable(`${what} did not answer: ${causeOf(error)}`);
  }
}

async function refuseErrors(response: Response, what: string, missing: string): Promise<void> {
  if (response.ok) return;
  const said = firstLine(await response.text());
  const answer = `${response.status}${said === '' ? '' : ` ${said}`}`;
  if (!isOurMistake(response.status)) throw unavailable(`${what} answered ${answer}`);
  throw ApplicationFailure.nonRetryable(
    `image: ${what} has ${missing} (${answer}); check it, or give the image by hash and URL`,
    'ImageNotFound' satisfies FailureType,
  );
}

/** The server will not answer otherwise, however often it is asked. */
export function isOurMistake(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

function unavailable(message: string): ApplicationFailure {
  return ApplicationFailure.retryable(message, 'RegistryUnavailable' satisfies FailureType);
}

/** `fetch` says only "fetch failed"; what happened is in its cause. */
export function causeOf(error: unknown): string {
  const { cause, message } = asError(error);
  const { code, message: why } = asError(cause);
  return firstLine([code, why].filter(Boolean).join(' ') || message || String(error));
}

function asError(value: unknown): { message?: string; code?: string; cause?: unknown } {
  return typeof value === 'object' && value !== null ? value : {};
}

function readJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function firstLine(text: string): string {
  return (text.trim().split('\n', 1)[0] ?? '').slice(0, 200);
}
