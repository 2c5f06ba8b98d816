/** Who may control a closed rental: grants, what is passed on from them, and what is refused. */
import { LONGEST_LIFE_SEC, type Grant, type Permission } from '../model/control';
import {
  beginCheck,
  endCheck,
  grant,
  newGrants,
  revoke,
  take,
  whyTooLong,
  type Grants,
} from '../workflows/state/grants';

const NOW = 1_000_000_000;
let state: Grants;
let nonces = 0;

beforeEach(() => {
  state = newGrants('owner');
});

const signed = (key: string, exp = NOW / 1000 + 60) => ({ key, claim: { nonce: `nonce-${nonces++}`, exp } });
const given = (by: string, key: string, permissions: Permission[], untilMs = NOW + 3_600_000): Grant => ({
  ...{ by, key, permissions, untilMs },
});
const may = (key: string, operation: Parameters<typeof take>[1], nowMs = NOW) =>
  take(state, operation, signed(key, nowMs / 1000 + 60), nowMs);

test('the owner may everything, and nobody else anything', () => {
  for (const operation of ['executeScript', 'scriptResult', 'terminate', 'topUp', 'grant'] as const) {
    expect(may('owner', operation)).toBeUndefined();
    expect(may('stranger', operation)).toBe('WrongKey');
  }
});

test('a grant lets its key do what it names, until it ends', () => {
  expect(grant(state, given('owner', 'agent', ['exec'], NOW + 1000), NOW)).toBeUndefined();
  expect(may('agent', 'executeScript')).toBeUndefined();
  expect(may('agent', 'scriptResult')).toBe('NotPermitted');
  expect(may('agent', 'executeScript', NOW + 1000)).toBe('WrongKey');
});

test('a signature is taken once, while it lives, and only if it lives short', () => {
  const once = signed('owner');
  expect(take(state, 'executeScript', once, NOW)).toBeUndefined();
  expect(take(state, 'executeScript', once, NOW)).toBe('Replayed');
  expect(take(state, 'executeScript', once, NOW + 61_000)).toBe('Expired');
  expect(take(state, 'grant', signed('owner', NOW / 1000), NOW)).toBe('Expired');
  expect(take(state, 'grant', signed('owner', NOW / 1000 + LONGEST_LIFE_SEC + 1), NOW)).toBe('TooLong');
});

test('nonces are forgotten when their signatures have expired', () => {
  for (let i = 0; i < 10; i++) may('owner', 'executeScript');
  expect(Object.keys(state.nonces)).toHaveLength(10);
  may('owner', 'executeScript', NOW + 61_000);
  expect(Object.keys(state.nonces)).toHaveLength(1);
});

test('what was refused is not taken later, when its key may', () => {
  const early = signed('agent');
  expect(take(state, 'executeScript', early, NOW)).toBe('WrongKey');
  const long = signed('owner', NOW / 1000 + LONGEST_LIFE_SEC + 1);
  expect(take(state, 'executeScript', long, NOW)).toBe('TooLong');
  const elsewhere = signed('owner');
  expect(take(state, 'executeScript', { ...elsewhere, refusal: 'OtherArguments' }, NOW)).toBe(
    'OtherArguments',
  );
  grant(state, given('owner', 'agent', ['exec']), NOW);
  expect(take(state, 'executeScript', early, NOW)).toBe('Replayed');
  expect(take(state, 'executeScript', long, NOW + 2000)).toBe('Replayed');
  expect(take(state, 'executeScript', elsewhere, NOW)).toBe('Replayed');
  expect(may('agent', 'executeScript')).toBeUndefined();
});

test('refused signatures do not fill the memory, nor take the room of those that are taken', () => {
  const first = signed('owner');
  take(state, 'executeScript', first, NOW);
  for (let i = 0; i < 2000; i++) may('stranger', 'executeScript');
  expect(Object.keys(state.refused).length).toBeLessThan(1000);
  expect(take(state, 'executeScript', first, NOW)).toBe('Replayed');
  may('owner', 'executeScript', NOW + 61_000);
  expect(state.refused).toEqual({});
});

test('a signature that nobody could check to the end counts as used, however it is written', () => {
  expect(beginCheck(state, 'header.claim.signature')).toBe(true);
  expect(beginCheck(state, 'header.claim.signature')).toBe(false);
  expect(beginCheck(state, 'header.claim.signature=')).toBe(false);
  expect(beginCheck(state, 'header.another.signature')).toBe(true);
  endCheck(state, 'header.another.signature');
  expect(beginCheck(state, 'header.another.signature')).toBe(true);
  for (let i = 0; i < 200; i++) beginCheck(state, `header.${i}.signature`);
  beginCheck(state, `${'x'.repeat(1_000_000)}.signature`);
  expect(state.unchecked.length).toBeLessThan(100);
});

test('nobody grants more than he may, nor for longer', () => {
  grant(state, given('owner', 'agent', ['exec', 'grant'], NOW + 1000), NOW);
  expect(grant(state, given('agent', 'other', ['read'], NOW + 500), NOW)).toBe('GrantTooWide');
  expect(grant(state, given('agent', 'other', ['exec'], NOW + 1001), NOW)).toBe('GrantTooWide');
  expect(whyTooLong(state, given('agent', 'other', ['exec'], NOW + 1001))).toContain(
    `the grant of agent ends at ${new Date(NOW + 1000).toISOString()}`,
  );
  expect(whyTooLong(state, given('agent', 'other', ['read'], NOW + 500))).toBeUndefined();
  expect(grant(state, given('agent', 'agent', ['exec'], NOW + 500), NOW)).toBe('GrantTooWide');
  expect(grant(state, given('agent', 'owner', ['exec'], NOW + 500), NOW)).toBe('GrantTooWide');
  expect(grant(state, given('agent', 'other', ['exec', 'grant'], NOW + 1000), NOW)).toBeUndefined();
  expect(may('other', 'executeScript')).toBeUndefined();
});

test('what a key has from somebody else is not for others to change', () => {
  grant(state, given('owner', 'a', ['exec', 'grant']), NOW);
  grant(state, given('owner', 'b', ['exec', 'read']), NOW);
  expect(grant(state, given('a', 'b', ['exec']), NOW)).toBe('NotPermitted');
  expect(revoke(state, 'b', 'a')).toBe('NotPermitted');
  expect(may('b', 'scriptResult')).toBeUndefined();
});

test('a revoked grant takes with it all that was passed on from it', () => {
  grant(state, given('owner', 'a', ['exec', 'grant']), NOW);
  grant(state, given('a', 'b', ['exec', 'grant']), NOW);
  grant(state, given('b', 'c', ['exec']), NOW);
  expect(revoke(state, 'a', 'owner')).toBeUndefined();
  for (const key of ['a', 'b', 'c']) expect(may(key, 'executeScript')).toBe('Revoked');
  expect(state.grants).toEqual([]);
});

test('who granted may revoke, over others too; a key without a grant cannot be revoked', () => {
  grant(state, given('owner', 'a', ['exec', 'grant']), NOW);
  grant(state, given('a', 'b', ['exec', 'grant']), NOW);
  grant(state, given('b', 'c', ['exec']), NOW);
  expect(revoke(state, 'c', 'a')).toBeUndefined();
  expect(may('c', 'executeScript')).toBe('Revoked');
  expect(may('b', 'executeScript')).toBeUndefined();
  expect(revoke(state, 'stranger', 'owner')).toBe('WrongKey');
});

test('a grant made narrower narrows what was passed on', () => {
  grant(state, given('owner', 'a', ['exec', 'read', 'grant']), NOW);
  grant(state, given('a', 'b', ['exec', 'read', 'grant']), NOW);
  grant(state, given('b', 'c', ['exec', 'read']), NOW);
  expect(grant(state, given('owner', 'a', ['exec', 'grant'], NOW + 1000), NOW)).toBeUndefined();
  expect(may('c', 'scriptResult')).toBe('NotPermitted');
  expect(may('c', 'executeScript')).toBeUndefined();
  expect(may('c', 'executeScript', NOW + 1000)).toBe('WrongKey');
});

test('a key that was revoked may be granted again', () => {
  grant(state, given('owner', 'a', ['exec']), NOW);
  revoke(state, 'a', 'owner');
  grant(state, given('owner', 'a', ['exec']), NOW);
  expect(may('a', 'executeScript')).toBeUndefined();
});

test('grants are as many as a state can carry', () => {
  for (let i = 0; i < 100; i++) expect(grant(state, given('owner', `k${i}`, ['exec']), NOW)).toBeUndefined();
  expect(grant(state, given('owner', 'one more', ['exec']), NOW)).toBe('GrantTooWide');
});

test('no key fills the memory with signatures, and the owner is let in all the same', () => {
  const exp = NOW / 1000 + LONGEST_LIFE_SEC;
  const use = (key: string) => take(state, 'executeScript', signed(key, exp), NOW);
  const fill = (key: string, count: number): void => {
    for (let n = 0; n < count; n++) state.nonces[`${key}/filled-${n}`] = exp;
  };
  for (let n = 0; n < 5; n++) grant(state, given('owner', `agent-${n}`, ['exec']), NOW);
  fill('agent-0', 1499);
  expect(use('agent-0')).toBeUndefined();
  expect(use('agent-0')).toBe('TooMany');
  for (const key of ['agent-1', 'agent-2', 'agent-3']) fill(key, 1500);
  expect(use('agent-4')).toBe('TooMany');
  expect(use('owner')).toBeUndefined();
  // What has expired is forgotten.
  expect(may('agent-4', 'executeScript', NOW + LONGEST_LIFE_SEC * 1000 + 1000)).toBeUndefined();
});
