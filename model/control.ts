/**
 * Delegated control of a rental (GAP-17, scenario C): whose key may do what with it, and what a signature is over. Plain
 * data and pure functions; signatures are made in `client/control-signer.ts` and checked in `activities/verify-control.ts`.
 */

/** An Ed25519 public key: the `x` of its JWK (RFC 8037), 43 characters of base64url. */
export type ControlKey = string;

export const CONTROL_KEY = /^[A-Za-z0-9_-]{43}$/;

/**
 * `exec`: send scripts. `read`: their results. `terminate`: end or detach the rental, or end the job. `settle`: raise the
 * budget. `grant`: pass on what one may oneself.
 */
export const PERMISSIONS = ['exec', 'read', 'terminate', 'settle', 'grant'] as const;

export type Permission = (typeof PERMISSIONS)[number];

/** The Updates that a closed rental or job takes only with a signature, and what each needs. */
export const OPERATIONS = {
  executeScript: 'exec',
  scriptResult: 'read',
  terminate: 'terminate',
  detach: 'terminate',
  topUp: 'settle',
  grant: 'grant',
  revoke: 'grant',
} as const satisfies Record<string, Permission>;

export type Operation = keyof typeof OPERATIONS;

/**
 * The start of a rental that takes over a VM of an owner's. It is signed, by the owner alone: grants ended with the rental that
 * held them. The argument that is signed is the workflow's without `authorization`; `rental` is its workflow id, and there is no
 * `run`: it has none yet.
 */
export const ATTACH = 'attach';

/** Part of a spec, and of an attach: closes the rental for everybody but the owner and those that hold a grant. */
export interface ControlSpec {
  owner: ControlKey;
}

/** What one key may do with one rental. */
export interface Grant {
  key: ControlKey;
  permissions: Permission[];
  /** Until when, ms since the epoch. */
  untilMs: number;
  /** Who granted it. */
  by: ControlKey;
}

/** Argument of the Update `grant`. */
export interface GrantRequest {
  key: ControlKey;
  permissions: Permission[];
  /** RFC 3339. */
  until: string;
}

/** What is signed: the payload of the JWS (compact, `alg` EdDSA, `kid` the public key). */
export interface ControlClaim {
  /** Workflow id of the rental or job. */
  rental: string;
  /**
   * Id of its first run, the one that it was started with; a run that continues it has another one. The workflow id may be
   * used again, and what was signed for one use of it is not for the next.
   */
  run?: string;
  operation: string;
  /** SHA-256 of the Update's argument without `authorization`, as canonical JSON (RFC 8785), base64url. */
  argsHash: string;
  /** Never used before: 8 to 64 characters. */
  nonce: string;
  /** Seconds since the epoch, at most {@link LONGEST_LIFE_SEC} ahead. */
  exp: number;
}

/** A signature lives no longer: the nonces of those that live are remembered. */
export const LONGEST_LIFE_SEC = 900;

/** Characters of a JWS: a claim's is a third of it. */
export const LONGEST_SIGNATURE = 4096;

/** Why something is refused, and what it means. */
export const REFUSALS = {
  NoSignature: 'it is signed by nobody',
  BadSignature: 'its signature does not fit, or is none',
  WrongKey: 'its key has no grant here',
  Expired: 'its signature has expired',
  TooLong: `its signature would live longer than ${LONGEST_LIFE_SEC} s`,
  Replayed: 'its signature was used before',
  OtherRental: 'it was signed for another rental or operation',
  OtherRun: 'it was signed for an earlier rental or job of the same id',
  OtherArguments: 'it was signed for other arguments',
  TooMany: 'its key has used too many signatures in a short time',
  NotPermitted: 'its key has no permission for that',
  GrantTooWide: 'nobody grants more, or for longer, than he may himself',
  Revoked: 'the grant of its key was revoked',
  OwnerIgnored: 'the activity has an owner, and it names none or another one',
  OtherIdentity: 'the app key of its connection is of another identity',
  Forged: 'it says that it goes on from an earlier run, and there is none',
} as const;

export type Refusal = keyof typeof REFUSALS;

/** Canonical JSON (RFC 8785); a member that is undefined is not there. JavaScript writes numbers and strings as it asks for. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonicalJson(each)}`).join(',')}}`;
}
