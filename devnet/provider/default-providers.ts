/** Five honest providers that differ in hardware, prices and temper. */
import type { ProviderConfig } from './config';

export const DEFAULT_PROVIDERS: ProviderConfig[] = [
  {
    name: 'cheap-and-slow',
    hardware: { cpuCores: 1, cpuThreads: 1, memGib: 2, storageGib: 10, cpuBrand: 'Devnet Atom' },
    pricing: { cpuPerHour: '0.02', envPerHour: '0.01' },
  },
  {
    name: 'big-iron',
    hardware: { cpuCores: 16, cpuThreads: 32, memGib: 64, storageGib: 500, cpuBrand: 'Devnet Xeon' },
    pricing: { cpuPerHour: '0.25', envPerHour: '0.12' },
    capabilities: ['inet', 'vpn', 'manifest-support', 'start-entrypoint'],
    agreementLimit: 2,
  },
  { name: 'steady', hardware: { cpuCores: 4, cpuThreads: 4, memGib: 8, storageGib: 40 } },
  {
    name: 'pay-to-enter',
    hardware: { cpuCores: 4, cpuThreads: 8, memGib: 16, storageGib: 80 },
    pricing: { start: '0.01', cpuPerHour: '0.03', envPerHour: '0.02' },
  },
  {
    name: 'late-riser',
    hardware: { cpuCores: 2, cpuThreads: 4, memGib: 8, storageGib: 40 },
    pricing: { cpuPerHour: '0.06', envPerHour: '0.03' },
    deploySec: 0.3,
  },
];
