/**
 * Who may control a closed rental: its owner, and the keys that hold grants. Every decision about a claim whose signature
 * was verified. Pure functions over plain data.
 */
import {
  LONGEST_LIFE_SEC,
  LONGEST_SIGNATURE,
  OPERATIONS,
  PERMISSIONS,
  type ControlClaim,
  type ControlKey,
  type Grant,
  type Operation,
  type Permission,
  type Refusal,
} from '../../model/control';

export interface Grants {
  owner: ControlKey;
  grants: Grant[];
  /** Keys whose last grant was revoked, for a better answer. */
  revoked: ControlKey[];
  /** Of signatures that have not expired: the key and its nonce, and the time of their end, seconds. */
  nonces: Record<string, number>;
  /** The same of those that were refused, the newest ones: what was refused is not taken later, when its key may. */
  refused: Record<string, number>;
  /** JWS without their signatures, the newest ones: their check is under way, or never came to its end. */
  unchecked: string[];
}

/** What the signature's check has found out. */
export interface Signed {
  key: ControlKey;
  claim: Pick<ControlClaim, 'nonce' | 'exp'>;
  /** It was not for this. */
  refusal?: Refusal;
}

/** More than anybody needs; a state that is carried on must not grow. */
const MOST_GRANTS = 100;
const REVOKED_KEPT = 100;
/** Signatures that have not expired: of one key, and of all but the owner's, whom nobody locks out. */
const MOST_NONCES = 1500;
const MOST_NONCES_OF_OTHERS = 6000;
/** Strangers' among them: more than these would only take room. */
const REFUSED_KEPT = 500;
/** A signature is checked within a minute, and Temporal lets ten Updates of a workflow be under way at a time. */
const UNCHECKED_KEPT = 50;

export const newGrants = (owner: ControlKey): Grants => ({
  ...{ owner, grants: [], revoked: [] },
  ...{ nonces: {}, refused: {}, unchecked: [] },
});

/**
 * The check of a JWS begins. What cannot be checked to the end, for want of a worker, might be good, and stands in the history
 * for all to read: it counts as used.
 * @returns false when it was begun before
 */
export function beginCheck(state: Grants, authorization: string): boolean {
  const part = signedPart(authorization);
  if (part.length > LONGEST_SIGNATURE) return true;
  if (state.unchecked.includes(part)) return false;
  state.unchecked = [...state.unchecked, part].slice(-UNCHECKED_KEPT);
  return true;
}

/** It came to its end: {@link take} sees to the rest. */
export function endCheck(state: Grants, authorization: string): void {
  const part = signedPart(authorization);
  state.unchecked = state.unchecked.filter((each) => each !== part);
}

/** The text that is signed: it has one form only, which the encoding of the signature behind it has not. */
const signedPart = (jws: string): string => jws.slice(0, Math.max(0, jws.lastIndexOf('.')));

/**
 * Takes a signature, once; one that is refused is used up, too.
 * @returns why it is refused
 */
export function take(
  state: Grants,
  operation: Operation,
  signed: Signed,
  nowMs: number,
): Refusal | undefined {
  const nowSec = nowMs / 1000;
  for (const seen of [state.nonces, state.refused])
    for (const [nonce, exp] of Object.entries(seen)) if (exp < nowSec) delete seen[nonce];
  const { key, claim } = signed;
  const nonce = `${key}/${claim.nonce}`;
  const isUsed = Object.hasOwn(state.nonces, nonce) || Object.hasOwn(state.refused, nonce);
  const refusal = signed.refusal ?? whyRefused(state, operation, signed, isUsed, nowMs);
  if (isUsed || claim.exp <= nowSec) return refusal;
  const seen = refusal ? state.refused : state.nonces;
  seen[nonce] = claim.exp;
  for (const oldest of Object.keys(state.refused).slice(0, -REFUSED_KEPT)) delete state.refused[oldest];
  return refusal;
}

function whyRefused(
  state: Grants,
  operation: Operation,
  { key, claim }: Signed,
  isUsed: boolean,
  nowMs: number,
): Refusal | undefined {
  const nowSec = nowMs / 1000;
  if (claim.exp <= nowSec) return 'Expired';
  if (claim.exp > nowSec + LONGEST_LIFE_SEC) return 'TooLong';
  const refusal = whyNot(state, key, OPERATIONS[operation], nowMs);
  if (refusal) return refusal;
  if (isUsed) return 'Replayed';
  return hasTooMany(state, key) ? 'TooMany' : undefined;
}

function hasTooMany({ owner, nonces }: Grants, key: ControlKey): boolean {
  const others = Object.keys(nonces).filter((each) => !each.startsWith(`${owner}/`)).length;
  const own = Object.keys(nonces).filter((each) => each.startsWith(`${key}/`)).length;
  return own >= MOST_NONCES || (key !== owner && others >= MOST_NONCES_OF_OTHERS);
}

function whyNot(state: Grants, key: ControlKey, needed: Permission, nowMs: number): Refusal | undefined {
  if (permissionsOf(state, key, nowMs).includes(needed)) return undefined;
  if (state.grants.some((grant) => grant.key === key && grant.untilMs > nowMs)) return 'NotPermitted';
  return state.revoked.includes(key) ? 'Revoked' : 'WrongKey';
}

function permissionsOf(state: Grants, key: ControlKey, nowMs: number): readonly Permission[] {
  if (key === state.owner) return PERMISSIONS;
  return state.grants.find((grant) => grant.key === key && grant.untilMs > nowMs)?.permissions ?? [];
}

/** A later grant to the same key takes the place of the one before. @returns why it is refused */
export function grant(state: Grants, given: Grant, nowMs: number): Refusal | undefined {
  const { by, key, permissions, untilMs } = given;
  if (key === state.owner || key === by) return 'GrantTooWide';
  const own = permissionsOf(state, by, nowMs);
  if (untilMs > endOf(state, by) || !permissions.every((each) => own.includes(each))) return 'GrantTooWide';
  const earlier = state.grants.find((each) => each.key === key && each.untilMs > nowMs);
  // What a key has from somebody else is not his to change.
  if (earlier && by !== state.owner && !comesFrom(state, earlier, by)) return 'NotPermitted';
  const kept = state.grants.filter((each) => each.key !== key && each.untilMs > nowMs);
  if (kept.length >= MOST_GRANTS) return 'GrantTooWide';
  state.grants = [...kept, given];
  state.revoked = state.revoked.filter((each) => each !== key);
  narrow(state);
  return undefined;
}

/** When what a key may ends, ms since the epoch. */
function endOf({ owner, grants }: Grants, key: ControlKey): number {
  return key === owner ? Infinity : (grants.find((each) => each.key === key)?.untilMs ?? 0);
}

/** That a grant would outlast its granter's own, and when that ends; undefined where it would not. */
export function whyTooLong(state: Grants, { by, untilMs }: Grant): string | undefined {
  const endMs = endOf(state, by);
  if (untilMs <= endMs) return undefined;
  return `nobody grants for longer than he may himself: the grant of ${by} ends at ${new Date(endMs).toISOString()}`;
}

/** Takes a key's grant back, and all that was passed on from it. @returns why it is refused */
export function revoke(state: Grants, key: ControlKey, by: ControlKey): Refusal | undefined {
  const found = state.grants.find((each) => each.key === key);
  if (!found) return 'WrongKey';
  if (by !== state.owner && !comesFrom(state, found, by)) return 'NotPermitted';
  const gone = [key];
  for (let i = 0; i < gone.length; i++)
    gone.push(
      ...state.grants
        .filter((each) => each.by === gone[i] && !gone.includes(each.key))
        .map((each) => each.key),
    );
  state.grants = state.grants.filter((each) => !gone.includes(each.key));
  state.revoked = [...new Set([...state.revoked, ...gone])].slice(-REVOKED_KEPT);
  return undefined;
}

/** Whether a grant was passed on from that key's, over any number of others'. */
function comesFrom(state: Grants, found: Grant, by: ControlKey): boolean {
  const seen = new Set<ControlKey>();
  for (let each: Grant | undefined = found; each && !seen.has(each.key);) {
    if (each.by === by) return true;
    seen.add(each.key);
    const above: ControlKey = each.by;
    each = state.grants.find((other) => other.key === above);
  }
  return false;
}

/** A grant that was made narrower narrows what was passed on from it. */
function narrow(state: Grants): void {
  // A chain is no longer than there are grants.
  for (let i = 0; i < state.grants.length; i++) {
    for (const each of state.grants) {
      if (each.by === state.owner) continue;
      const above = state.grants.find((other) => other.key === each.by);
      each.permissions = each.permissions.filter((permission) => above?.permissions.includes(permission));
      each.untilMs = Math.min(each.untilMs, above?.untilMs ?? 0);
    }
  }
}
