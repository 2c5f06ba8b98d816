/** Keys that control closed rentals, and the signatures made with them. What they are made with is loaded when it is needed. */
import { createHash, randomUUID } from 'node:crypto';
import type { JWK } from 'jose';
import {
  canonicalJson,
  CONTROL_KEY,
  type ATTACH,
  type ControlClaim,
  type ControlKey,
  type Operation,
} from '../model/control';

/** How long a signature is good for: as long as an Update may be on its way. Seconds. */
const LIFE_SEC = 120;

/** What a signature is for. */
export interface SignedFor {
  /** Of the rental or job that is asked. */
  workflowId: string;
  /**
   * Id of that workflow's first run: its id may be used again, and the signature is not for whoever has it then. `signedFor` reads
   * it. Absent for an attach, which is signed before its workflow is there.
   */
  firstRunId?: string;
}

export interface SigningOptions {
  /** Default 120 s; at most 900. */
  lifeSec?: number;
  /** Default: now. */
  nowMs?: number;
}

/** Signs Updates of closed rentals and jobs with one private key, which stays in this process. */
export class ControlSigner {
  private constructor(
    /** The public key, as a spec's `control.owner` or a grant names it. */
    readonly key: ControlKey,
    private readonly jwk: JWK,
  ) {}

  /** With a new key, whose public one no command line takes for an option. */
  static async generate(): Promise<ControlSigner> {
    const { exportJWK, generateKeyPair } = await import('jose');
    for (;;) {
      const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
      const signer = await ControlSigner.fromJwk(await exportJWK(privateKey));
      if (!signer.key.startsWith('-')) return signer;
    }
  }

  /**
   * @param jwk the private key as a JWK (RFC 8037): `{ "kty": "OKP", "crv": "Ed25519", "x": …, "d": … }`
   * @throws TypeError - it is no such key
   */
  static async fromJwk(jwk: unknown): Promise<ControlSigner> {
    const { kty, crv, x, d } = (jwk ?? {}) as JWK;
    if (kty !== 'OKP' || crv !== 'Ed25519' || !x || !CONTROL_KEY.test(x) || !d)
      throw new TypeError('expected a private Ed25519 key as a JWK: { kty: "OKP", crv: "Ed25519", x, d }');
    const own = { kty, crv, x, d };
    const { importJWK } = await import('jose');
    await importJWK(own, 'EdDSA');
    return new ControlSigner(x, own);
  }

  /** The private key, to be kept in a file that only its owner can read. */
  toJwk(): JWK {
    return { ...this.jwk };
  }

  /**
   * @param of the rental or job that is asked
   * @param args the Update's argument, or that of the attaching workflow
   * @returns the argument with its `authorization`, good for one Update
   */
  async authorize<T extends object>(
    { workflowId: rental, firstRunId: run }: SignedFor,
    operation: Operation | typeof ATTACH,
    args: T,
    { lifeSec = LIFE_SEC, nowMs = Date.now() }: SigningOptions = {},
  ): Promise<T & { authorization: string }> {
    const { CompactSign, importJWK } = await import('jose');
    // As the wire will have it: what is undefined is not there.
    const plain = JSON.parse(JSON.stringify(args)) as T;
    const claim: ControlClaim = {
      ...{ rental, run, operation, nonce: randomUUID() },
      argsHash: createHash('sha256').update(canonicalJson(plain)).digest('base64url'),
      exp: Math.floor(nowMs / 1000) + lifeSec,
    };
    const authorization = await new CompactSign(Buffer.from(JSON.stringify(claim)))
      .setProtectedHeader({ alg: 'EdDSA', kid: this.key })
      .sign(await importJWK(this.jwk, 'EdDSA'));
    return { ...plain, authorization };
  }
}
