/** What `deploy` has to say of a VM: the networks that it is to be in, and the volumes that it has. */
import { isIPv4 } from 'node:net';
import { Ipv4Network } from '../net-api/ipv4-network';
import { VOLUMES, type VmNetwork } from './machine';

/** Why a VM cannot be in these networks, in yagna's words; undefined when it can. */
export function networkComplaint(networks: readonly VmNetwork[]): string | undefined {
  for (const { ip, mask, nodeIp } of networks) {
    if (!Ipv4Network.parse(ip, mask)) return `Net error: Invalid network IP address: ${ip}`;
    if (!isIPv4(nodeIp)) return 'Net error: Invalid IP address: invalid IP address syntax';
  }
  return undefined;
}

/** What the runtime prints once a VM is deployed. */
export function deploymentReport(volumes: readonly string[]): string {
  const listed = [
    ...VOLUMES.map((path) => ({ name: `vol-${path.slice(1).replace('/', '-')}`, path })),
    ...volumes.map((path, n) => ({ name: `vol-custom-${n}`, path })),
  ].map(({ name, path }) => `{"name": ${JSON.stringify(name)}, "path": ${JSON.stringify(path)}}`);
  return `{"valid": {"Ok": ""}, "vols": [${listed.join(', ')}], "startMode": "empty"}\n`;
}
