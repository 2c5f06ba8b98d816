/** Signatures of Updates: what is verified, and every way in which one does not fit. */
import { CompactSign, importJWK } from 'jose';
import { verifyControl } from '../activities/verify-control';
import { ControlSigner } from '../client/control-signer';
import { canonicalJson } from '../model/control';

const RENTAL = 'job/rental/1';
const RUN = '7d0f5f6e';
const OF = { workflowId: RENTAL, firstRunId: RUN };
const SCRIPT = { commands: ['echo hello'], timeoutSec: 60 };
let signer: ControlSigner;
beforeAll(async () => {
  signer = await ControlSigner.generate();
});

const verify = async (signed: { authorization: string }, over: object = {}) => {
  const { authorization, ...args } = signed;
  return await verifyControl({
    ...{ rental: RENTAL, run: RUN, operation: 'executeScript', args, authorization, ...over },
  });
};

test('a signature names its key, and its nonce and end', async () => {
  const nowMs = Date.now();
  const verified = await verify(await signer.authorize(OF, 'executeScript', SCRIPT, { nowMs }));
  const exp = Math.floor(nowMs / 1000) + 120;
  expect(verified).toEqual({ key: signer.key, claim: { nonce: expect.any(String) as string, exp } });
});

test('members may come in any order, and what is undefined is not there', async () => {
  const signed = await signer.authorize(OF, 'executeScript', { ...SCRIPT, onUncertain: undefined });
  const args = { timeoutSec: 60, commands: ['echo hello'] };
  expect((await verify(signed, { args })).refusal).toBeUndefined();
});

test.each([
  ['of another rental', { rental: 'job/rental/2' }, 'OtherRental'],
  ['for another operation', { operation: 'terminate' }, 'OtherRental'],
  ['of an earlier rental of the same id', { run: '9e1c' }, 'OtherRun'],
  ['of a rental, to begin one', { run: undefined }, 'OtherRun'],
  ['over other arguments', { args: { commands: ['rm -rf /'] } }, 'OtherArguments'],
  ['that is no JWS', { authorization: 'let me in' }, 'BadSignature'],
  ['that is a megabyte long', { authorization: 'x'.repeat(1_000_000) }, 'BadSignature'],
] as const)('a signature %s is refused', async (_how, over, refusal) => {
  const signed = await signer.authorize(OF, 'executeScript', SCRIPT);
  expect((await verify(signed, over)).refusal).toBe(refusal);
});

test('a signature with a claim changed afterwards is refused', async () => {
  const signed = await signer.authorize(OF, 'executeScript', SCRIPT);
  const [header = '', payload = '', signature = ''] = signed.authorization.split('.');
  const claim = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number };
  const later = Buffer.from(JSON.stringify({ ...claim, exp: claim.exp + 1 })).toString('base64url');
  const authorization = [header, later, signature].join('.');
  expect(await verify({ ...signed, authorization })).toEqual({ refusal: 'BadSignature' });
});

test('a signature that names another key as its own is refused', async () => {
  const other = await ControlSigner.generate();
  const claim = Buffer.from('{}');
  const authorization = await new CompactSign(claim)
    .setProtectedHeader({ alg: 'EdDSA', kid: other.key })
    .sign(await importJWK(signer.toJwk(), 'EdDSA'));
  expect(await verify({ ...SCRIPT, authorization })).toEqual({ refusal: 'BadSignature' });
});

test('a signature by a shared secret, or by none, is refused', async () => {
  const claim = Buffer.from('{}');
  const secret = Buffer.from(signer.key, 'base64url');
  const byHmac = await new CompactSign(claim)
    .setProtectedHeader({ alg: 'HS256', kid: signer.key })
    .sign(secret);
  expect(await verify({ ...SCRIPT, authorization: byHmac })).toEqual({ refusal: 'BadSignature' });
  const header = Buffer.from(JSON.stringify({ alg: 'none', kid: signer.key })).toString('base64url');
  const unsigned = `${header}.${claim.toString('base64url')}.`;
  expect(await verify({ ...SCRIPT, authorization: unsigned })).toEqual({ refusal: 'BadSignature' });
});

test('a claim without nonce or end is none', async () => {
  const key = await importJWK(signer.toJwk(), 'EdDSA');
  const sign = (claim: object) =>
    new CompactSign(Buffer.from(JSON.stringify(claim)))
      .setProtectedHeader({ alg: 'EdDSA', kid: signer.key })
      .sign(key);
  const whole = {
    rental: RENTAL,
    run: RUN,
    operation: 'executeScript',
    argsHash: '',
    nonce: '12345678',
    exp: 1,
  };
  expect((await verify({ authorization: await sign(whole) })).refusal).toBe('OtherArguments');
  const { run: _run, ...ofNoRun } = whole;
  expect((await verify({ authorization: await sign(ofNoRun) })).refusal).toBe('OtherRun');
  for (const missing of ['nonce', 'exp', 'argsHash'] as const) {
    const claim: Record<string, unknown> = { ...whole };
    delete claim[missing];
    expect((await verify({ authorization: await sign(claim) })).refusal).toBe('BadSignature');
  }
});

test('a key comes back from its file, and what is none is told', async () => {
  const again = await ControlSigner.fromJwk(JSON.parse(JSON.stringify(signer.toJwk())));
  expect(again.key).toBe(signer.key);
  for (const wrong of [
    undefined,
    {},
    { ...signer.toJwk(), d: undefined },
    { ...signer.toJwk(), crv: 'X25519' },
  ])
    await expect(ControlSigner.fromJwk(wrong)).rejects.toThrow(/private Ed25519 key/);
});

test('canonical JSON is that of RFC 8785 for what an argument may hold', () => {
  const value = { b: [3, { z: null, a: 'ä\n' }], a: 1e21, '10': true, '9': 0.1 };
  expect(canonicalJson(value)).toBe('{"10":true,"9":0.1,"a":1e+21,"b":[3,{"a":"ä\\n","z":null}]}');
});

test('a new key is one that a command line takes for no option', async () => {
  const keys = await Promise.all(Array.from({ length: 400 }, () => ControlSigner.generate()));
  expect(keys.filter(({ key }) => key.startsWith('-'))).toEqual([]);
});
