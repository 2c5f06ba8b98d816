import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';

const { Payload: Wire } = temporal.api.common.v1;
const ENCODING = 'binary/encrypted';

/** AES-256-GCM over whole payloads, as Temporal's own sample has it. */
export class EncryptionCodec implements PayloadCodec {
  /** @param key - 32 bytes */
  constructor(private readonly key: Buffer) {}

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return await Promise.resolve(
      payloads.map((payload) => {
        const iv = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', this.key, iv);
        const sealed = [cipher.update(Wire.encode(payload).finish()), cipher.final()];
        return {
          metadata: { encoding: Buffer.from(ENCODING) },
          data: Buffer.concat([iv, cipher.getAuthTag(), ...sealed]),
        };
      }),
    );
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return await Promise.resolve(
      payloads.map((payload) => {
        const { metadata, data } = payload;
        if (!data || String(Buffer.from(metadata?.encoding ?? [])) !== ENCODING) return payload;
        const decipher = createDecipheriv('aes-256-gcm', this.key, data.subarray(0, 12));
        decipher.setAuthTag(data.subarray(12, 28));
        return Wire.decode(Buffer.concat([decipher.update(data.subarray(28)), decipher.final()]));
      }),
    );
  }
}
