/** A script whose results are longer than any text of JavaScript can be is read all the same. */
import { withDevnet } from './support/devnet-requestor';

const ACTIVITY = '/activity-api/v1/activity';
const MIB = 1024 * 1024;
const capture = { stdout: { atEnd: {} } };
const ones = `head -c ${8 * MIB} /dev/zero | tr '\\0' '\\1'`;

it('results of more than 512 MiB are sent, one after the other', async () => {
  await withDevnet({ providers: [{ name: 'one' }] }, async (requestor, devnet) => {
    const agreementId = await requestor.rent();
    const activityId = await requestor.createActivity(agreementId);
    const write = { run: { entry_point: '/bin/sh', args: ['-c', ones], capture } };
    const text = JSON.stringify([{ deploy: {} }, { start: {} }, ...Array<object>(12).fill(write)]);
    const { json: batchId } = await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text });
    const path = `${ACTIVITY}/${activityId}/exec/${batchId}`;
    const last = (await requestor.get(`${path}?timeout=50&commandIndex=13`)).json;
    expect(last).toMatchObject([...Array<object>(13).fill({ stdout: null }), { isBatchFinished: true }]);
    expect(last[13].stdout).toHaveLength(8 * MIB);

    const response = await fetch(devnet.url + path, { headers: { authorization: 'Bearer try_golem' } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    // Not as one text, which fetch could not hold either.
    let [bytes, commas, end] = [0, 0, ''];
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      commas += Buffer.from(chunk).toString('latin1').split('},{').length - 1;
      end = Buffer.from(chunk.subarray(-200)).toString();
    }
    // Each byte is written as \u0001.
    expect(bytes).toBeGreaterThan(12 * 8 * MIB * 6);
    expect(commas).toBe(13);
    expect(end).toMatch(/"isBatchFinished":true\}\]$/);
    await requestor.terminate(agreementId);
  });
});

it('results of which only some are long are the same as those that are short', async () => {
  await withDevnet({ providers: [{ name: 'one' }] }, async (requestor) => {
    const agreementId = await requestor.rent();
    const activityId = await requestor.createActivity(agreementId);
    const commands = [`${ones} | head -c ${5 * MIB}`, 'echo short', 'exit 3'];
    const runs = commands.map((command) => ({
      run: { entry_point: '/bin/sh', args: ['-c', command], capture },
    }));
    const text = JSON.stringify([{ deploy: {} }, { start: {} }, ...runs, ...runs]);
    const { json: batchId } = await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text });
    await requestor.effect('script-finished');
    const { json } = await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}`);
    expect(json).toMatchObject([
      ...[{}, {}, { stdout: '\u0001'.repeat(5 * MIB), isBatchFinished: false }],
      { index: 3, result: 'Ok', stdout: 'short\n', stderr: null, message: null, isBatchFinished: false },
      { index: 4, result: 'Error', isBatchFinished: true },
    ]);
    await requestor.terminate(agreementId);
  });
});
