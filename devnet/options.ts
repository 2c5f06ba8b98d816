/** Whether what `startDevnet` is asked for can be had, and its nodes with every default filled in. */
import { z } from 'zod';
import type { DevnetOptions } from './devnet';
import { Amount, isAmount } from './payment/amounts';
import { SUPPLY } from './payment/wallets';
import { mistakeOf } from './provider/mistakes';
import type { NodeOptions } from './requestor-node';

/** What the devnet is asked for cannot be had: one line a mistake. */
export class OptionsError extends Error {
  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join('\n'));
    this.name = 'OptionsError';
  }
}

/** Name of the node that `port`, `appKeys` and `funds` are of. */
export const FIRST_NODE = 'requestor';

/** 100 years. */
const LONGEST_SEC = 3_155_760_000;
const seconds = z.number().min(0).max(LONGEST_SEC);
const port = z.number().int().min(0).max(65_535);
const text = z.string().min(1);
const funds = z
  .string()
  .refine(
    (amount) => isAmount(amount) && new Amount(amount).lte(SUPPLY),
    `give a decimal from 0 to ${SUPPLY}`,
  );

const nodeSchema = z.strictObject({
  name: text,
  port: port.optional(),
  appKeys: z.array(text).min(1).optional(),
  funds: funds.optional(),
});

const settings = {
  ...nodeSchema.omit({ name: true }).shape,
  host: text.optional(),
  nodes: z.array(nodeSchema).optional(),
  adminPort: port.optional(),
  // Checked for themselves.
  providers: z.unknown().optional(),
  dataDir: text.optional(),
  fresh: z.boolean().optional(),
  paymentCycleSec: seconds.optional(),
  rebroadcastSec: seconds.optional(),
  images: z.array(text).optional(),
  retentionSec: seconds.optional(),
  tcpConnectSec: seconds.optional(),
  tcpSilenceSec: seconds.optional(),
  log: z.custom((value) => typeof value === 'function', 'expected a function').optional(),
} satisfies Record<keyof DevnetOptions, z.ZodType>;
const optionsSchema = z.strictObject(settings);

const FORM = {
  name: 'options',
  keysAt: (path: readonly PropertyKey[]) => Object.keys(path.length === 0 ? settings : nodeSchema.shape),
};

/** @throws OptionsError */
export function checkOptions(options: unknown): void {
  const { error } = optionsSchema.safeParse(options);
  if (error) throw new OptionsError(error.issues.flatMap((issue) => mistakeOf(issue, options, FORM)));
}

/** @throws OptionsError when two nodes have the same name or app key */
export function describedNodes({ port, appKeys, funds, nodes = [] }: DevnetOptions): NodeOptions[] {
  const all = [
    { name: FIRST_NODE, port, appKeys: appKeys ?? ['try_golem'], funds },
    ...nodes.map((node) => ({
      ...node,
      appKeys: node.appKeys ?? [`try_${node.name}`],
      funds: node.funds ?? funds,
    })),
  ];
  const twice = (list: readonly string[]): string | undefined =>
    list.find((item, index) => list.indexOf(item) !== index);
  const name = twice(all.map((node) => node.name));
  if (name !== undefined) throw new OptionsError([`two nodes of the devnet are named "${name}"`]);
  if (twice(all.flatMap((node) => node.appKeys)) !== undefined)
    throw new OptionsError(['two nodes of the devnet have the same app key: give each one of its own']);
  return all;
}
