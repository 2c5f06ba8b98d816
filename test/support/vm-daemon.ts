/** A VM host as a process of its own, with a VM at work: `vm-daemon.ts private|plain DATA_DIR MARK`, to be killed. */
import { sh, VmTestbed } from './vm-host';

const [isolation, dataDir = '', mark = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  const bed = await VmTestbed.start(isolation === 'plain' ? { isolation } : {}, dataDir);
  const net = [{ id: mark, ip: '192.168.0.0/24', nodeIp: '192.168.0.2', nodes: {} }];
  const vm = await bed.vm({}, { net });
  const batchId = await vm.exec([sh('echo kept')]);
  await vm.results(batchId, '?timeout=50');
  const running = await vm.untilReady(`sleep ${mark}1 & echo > ready; sleep ${mark}2`);
  const { cpuSec } = bed.host.usage(vm.activityId);
  process.stdout.write(JSON.stringify({ activityId: vm.activityId, batchId, running, cpuSec }));
}

void main();
