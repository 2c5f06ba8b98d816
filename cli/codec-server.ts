/**
 * The payload codecs of a namespace whose payloads are encrypted, as a codec server has them: where TEMPORAL_CODEC_ENDPOINT says,
 * with TEMPORAL_CODEC_AUTH, as Temporal's own command reads them. Its protocol: `POST …/encode` and `…/decode` with
 * `{ "payloads": [{ "metadata": { "encoding": base64 }, "data": base64 }] }`, answered by the same.
 */
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { CliError, EXIT_FAILED, usageError } from './failure';

const LIMIT_MS = 10_000;

const answerSchema = z.object({
  payloads: z.array(
    z.object({ metadata: z.record(z.string(), z.string()).optional(), data: z.string().optional() }),
  ),
});

/** @throws CliError - it is no URL */
export function converterBy(
  given: string,
  namespace: string,
  authorization: string | undefined,
): DataConverter {
  // Temporal's command takes the namespace in its URL like this.
  const endpoint = given.replaceAll('{namespace}', encodeURIComponent(namespace)).replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw usageError('TEMPORAL_CODEC_ENDPOINT is no URL such as http://127.0.0.1:8081');
  const headers = {
    ...{ 'Content-Type': 'application/json', 'X-Namespace': namespace },
    ...(authorization && { Authorization: authorization }),
  };
  const call = async (path: string, payloads: Payload[]): Promise<Payload[]> => {
    if (payloads.length === 0) return [];
    const response = await fetch(`${endpoint}${path}`, {
      ...{ method: 'POST', headers, signal: AbortSignal.timeout(LIMIT_MS) },
      body: JSON.stringify({ payloads: payloads.map(toJson) }),
    }).catch((error: Error) => {
      throw failed(
        `does not answer (${(error.cause as Error | undefined)?.message ?? error.message})`,
        error,
      );
    });
    if (!response.ok) throw failed(`answers ${response.status}: check TEMPORAL_CODEC_AUTH`);
    const answer = answerSchema.safeParse(await response.json().catch(() => undefined));
    if (!answer.success || answer.data.payloads.length !== payloads.length)
      throw failed('answers something else than the payloads it was asked for: is it one?');
    return answer.data.payloads.map(fromJson);
  };
  const codec: PayloadCodec = {
    encode: (payloads) => call('/encode', payloads),
    decode: (payloads) => call('/decode', payloads),
  };
  return { payloadCodecs: [codec] };
}

const failed = (what: string, cause?: Error): CliError =>
  new CliError(`the codec server of TEMPORAL_CODEC_ENDPOINT ${what}`, EXIT_FAILED, { cause });

const toJson = ({ metadata, data }: Payload): object => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  ),
  ...(data && { data: Buffer.from(data).toString('base64') }),
});

const fromJson = ({ metadata = {}, data }: z.infer<typeof answerSchema>['payloads'][number]): Payload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
  ),
  ...(data !== undefined && { data: Buffer.from(data, 'base64') }),
});
