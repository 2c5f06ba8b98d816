import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { VmTestbed, Vm, type ScriptEvent } from './support/vm-host';

let bed: VmTestbed;
let server: Server;
let opened: (response: ServerResponse) => void;
beforeAll(async () => {
  bed = await VmTestbed.start();
  server = createServer((_request, response) => opened(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await bed.close();
});

/** What a stream tells of its first command, until that has finished. */
async function kindsOf(vm: Vm, batchId: string, onOpen: () => void): Promise<ScriptEvent['kind'][]> {
  const kinds: ScriptEvent['kind'][] = [];
  for await (const { kind } of vm.events(batchId, async () => onOpen())) {
    kinds.push(kind);
    if (kind.finished) return kinds;
  }
  return kinds;
}

const progress = { 'update-interval': '0ms', 'update-step': 1 };

test('a transfer that was asked to tells how many bytes have come, of how many', async () => {
  const vm = await bed.vm();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
  const asked = new Promise<ServerResponse>((resolve) => (opened = resolve));
  const batchId = await vm.exec([
    { transfer: { from: address, to: 'container:/golem/work/file', progress } },
  ]);
  const response = await asked;
  const kinds = await kindsOf(vm, batchId, () => {
    response.writeHead(200, { 'content-length': '5' });
    response.end('12345');
  });
  expect(kinds).toEqual([
    { progress: { step: [0, 1], message: null, progress: [5, 5], unit: 'Bytes' } },
    { finished: { return_code: 0, message: null } },
  ]);
});

test('a transfer that was not asked to says nothing on its way', async () => {
  const vm = await bed.vm();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
  const asked = new Promise<ServerResponse>((resolve) => (opened = resolve));
  const batchId = await vm.exec([{ transfer: { from: address, to: 'container:/golem/work/file' } }]);
  const response = await asked;
  const kinds = await kindsOf(vm, batchId, () => response.end('12345'));
  expect(kinds).toEqual([{ finished: { return_code: 0, message: null } }]);
});

test('a deploy that was asked to says that the image is there', async () => {
  const { body } = await bed.call('POST', '/activity', { agreementId: bed.agreement({ deploySec: 0.3 }) });
  const vm = new Vm(bed, (body as { activityId: string }).activityId);
  const batchId = await vm.exec([{ deploy: { progress: {} } }]);
  const kinds = await kindsOf(vm, batchId, () => undefined);
  expect(kinds).toContainEqual({
    progress: { step: [0, 1], message: 'Deployed image from cache', progress: [0, null], unit: 'Bytes' },
  });
});

test('a progress interval that is no duration is refused', async () => {
  const vm = await bed.vm();
  const script = [{ deploy: { progress: { 'update-interval': 'often' } } }];
  expect(await vm.call('POST', '/exec', { text: JSON.stringify(script) })).toMatchObject({ status: 400 });
});
