/**
 * Checks who signed an Update of a closed rental, and that it was signed for that very Update. What the signer may do is
 * decided by the workflow, which knows the grants.
 */
import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { z } from 'zod';
import {
  canonicalJson,
  CONTROL_KEY,
  LONGEST_SIGNATURE,
  type ControlClaim,
  type ControlKey,
  type Refusal,
} from '../model/control';
import { attempt } from './attempt';
import type { GolemActivities, VerifiedControl, VerifyControlInput } from './contract';

const claimSchema = z.object({
  rental: z.string(),
  run: z.string().optional(),
  operation: z.string(),
  argsHash: z.string(),
  nonce: z.string().regex(/^[\x21-\x7e]{8,64}$/),
  exp: z.number().int().positive(),
});

export function controlActivities(): Pick<GolemActivities, 'golemVerifyControl'> {
  return {
    /**
     * Verifies the signature of an Update's argument.
     *
     * Effect: none.
     * Retry: verifies again.
     * @returns the key that signed and its claim, and why they are not for this Update, if so; or why there is none
     */
    async golemVerifyControl(input) {
      return await attempt(() => verifyControl(input));
    },
  };
}

export async function verifyControl(input: VerifyControlInput): Promise<VerifiedControl> {
  const { rental, run, operation, args, authorization } = input;
  const signed = await readSigned(authorization);
  if (typeof signed === 'string') return { refusal: signed };
  const { key, claim } = signed;
  const { nonce, exp } = claim;
  const verified = { key, claim: { nonce, exp } };
  if (claim.rental !== rental || claim.operation !== operation)
    return { ...verified, refusal: 'OtherRental' };
  if (claim.run !== run) return { ...verified, refusal: 'OtherRun' };
  if (claim.argsHash !== argsHash(args)) return { ...verified, refusal: 'OtherArguments' };
  return verified;
}

async function readSigned(
  authorization: string,
): Promise<{ key: ControlKey; claim: ControlClaim } | Refusal> {
  if (authorization.length > LONGEST_SIGNATURE) return 'BadSignature';
  try {
    const { alg, kid } = decodeProtectedHeader(authorization);
    if (alg !== 'EdDSA' || kid === undefined || !CONTROL_KEY.test(kid)) return 'BadSignature';
    const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: kid }, 'EdDSA');
    const { payload } = await compactVerify(authorization, key, { algorithms: ['EdDSA'] });
    const claim = claimSchema.safeParse(JSON.parse(Buffer.from(payload).toString('utf8')));
    return claim.success ? { key: kid, claim: claim.data } : 'BadSignature';
  } catch {
    return 'BadSignature';
  }
}

/** SHA-256 over canonical JSON, base64url. */
export function argsHash(args: unknown): string {
  return createHash('sha256').update(canonicalJson(args)).digest('base64url');
}
