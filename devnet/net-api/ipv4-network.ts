/** IPv4 networks as the net API reads and prints them; IPv6 is left out. */
import { BlockList, isIPv4 } from 'node:net';

const DEFAULT_MASK = '255.255.255.0';

export class Ipv4Network {
  private readonly base: number;
  private readonly maskBits: number;

  private constructor(
    address: string,
    readonly prefix: number,
  ) {
    this.maskBits = prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0;
    this.base = (toNumber(address) & this.maskBits) >>> 0;
  }

  /**
   * @param text `192.168.0.0/24`, or an address that a mask goes with
   * @returns undefined when it is no network
   */
  static parse(text: string, mask = DEFAULT_MASK): Ipv4Network | undefined {
    const [address = '', prefix, ...more] = text.split('/');
    if (!isIPv4(address) || more.length > 0) return undefined;
    const length =
      prefix === undefined ? prefixOf(mask) : /^\d{1,2}$/.test(prefix) ? Number(prefix) : undefined;
    return length === undefined || length > 32 ? undefined : new Ipv4Network(address, length);
  }

  get cidr(): string {
    return `${toText(this.base)}/${this.prefix}`;
  }

  get mask(): string {
    return toText(this.maskBits);
  }

  /** The first address that a node may have. */
  get firstHost(): string {
    return toText(this.prefix >= 31 ? this.base : this.base + 1);
  }

  contains(address: string): boolean {
    const subnet = new BlockList();
    subnet.addSubnet(toText(this.base), this.prefix);
    return subnet.check(address);
  }
}

/** Whether a node can have it: no loopback, unspecified, multicast or broadcast address. */
export function isNodeAddress(address: string): boolean {
  const first = toNumber(address) >>> 24;
  return !(first === 127 || first >= 224 || address === '0.0.0.0');
}

/** How many of its leading bits are set. */
function prefixOf(mask: string): number | undefined {
  if (!isIPv4(mask)) return undefined;
  return /^1*/.exec(toNumber(mask).toString(2).padStart(32, '0'))?.[0].length;
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, byte) => number * 256 + Number(byte), 0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}
