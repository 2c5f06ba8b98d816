/**
 * `golem-temporal devnet broker`: a payer other than the requestor's node, as a process of its own; and `devnet deposit`,
 * which gives it money with rules for its release.
 */
import { InvalidArgumentError, type Command } from 'commander';
import type * as devnetIndex from '../devnet/index';
import { dataOption, makeFolder } from './data-folder';
import { AdminClient, adminOption, type AdminFlags } from './devnet-admin';
import { CliError, usageError } from './failure';
import { port } from './port';

const DEFAULT_PORT = 7470;

/** @param devnet the command that starts one: these are its subcommands */
export function addBrokerCommands(devnet: Command): void {
  const broker = devnet
    .command('broker')
    .description('run a broker, which decides and pays bills out of what requestors have deposited with it')
    .option('--port <port>', 'where it listens, 0 for a free one', port, DEFAULT_PORT)
    .addOption(dataOption('where it keeps its key and its books', 'broker'))
    .option('--hour <sec>', 'how long the hour of its rules is', seconds, 3600);
  adminOption(broker).action(async (options: BrokerFlags) => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const { startBroker } = require('../devnet/index') as typeof devnetIndex;
    await makeFolder('--data', options.data);
    const stopped = new Promise<void>((resolve) => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    });
    const { adminUrl, data: dataDir, hour: hourSec } = options;
    const running = await startBroker({ port: options.port, adminUrl, dataDir, hourSec }).catch(
      (error: unknown) => {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'EADDRINUSE')
          throw usageError(`port ${options.port} is in use: give another with --port`);
        if (/locked|busy/i.test(message))
          throw usageError(`${dataDir} is in use by another broker: give another with --data`);
        throw error;
      },
    );
    console.log(`broker ready at ${running.url}, wallet ${running.address}`);
    await stopped;
    await running.close();
  });

  const deposit = devnet
    .command('deposit <glm>')
    .description("move money of a requestor's to a broker, which pays for its agreements with it")
    .option('--broker <url>', 'of the broker', `http://127.0.0.1:${DEFAULT_PORT}`)
    .option('--node <name>', 'whose money it is, and whose agreements are paid', 'requestor')
    .option('--per-hour <glm>', 'the most that goes out within any hour (default: no limit)')
    .option('--total <glm>', 'the most that goes out in all (default: all of it)')
    .option('--platform <name>', 'payment platform (default: erc20-holesky-tglm)')
    .option('--id <id>', 'of the deposit (default: a new one)')
    .option('--json', 'print it as JSON');
  adminOption(deposit).action(depositWith);
}

interface BrokerFlags extends AdminFlags {
  port: number;
  data: string;
  hour: number;
}

interface DepositFlags extends AdminFlags {
  broker: string;
  node: string;
  perHour?: string;
  total?: string;
  platform?: string;
  id?: string;
  json?: true;
}

interface Deposit {
  id: string;
  left: string;
  perHour: string;
}

async function depositWith(amount: string, options: DepositFlags): Promise<void> {
  const { broker: url, node: name, perHour, total, platform, id } = options;
  const admin = new AdminClient(options.adminUrl);
  const nodes = await admin.get<{ name: string; identities: string[] }[]>('/nodes');
  const requestor = nodes.find((node) => node.name === name)?.identities[0];
  if (requestor === undefined)
    throw usageError(
      `the devnet has no node "${name}"; there are: ${nodes.map((node) => node.name).join(', ')}`,
    );
  const { address } = await brokerCall<{ address: string }>(url, '/');
  const open = (): Promise<Deposit> =>
    brokerCall(url, '/deposits', { id, requestor, amount, perHour, total, platform });
  // First: what is wrong with it is told before money moves, and what an earlier try has moved is not moved again.
  const deposit = await open().catch(async (error: Error) => {
    if (!/shows no transfer/.test(error.message)) throw error;
    await admin.post('/transfers', { from: requestor, to: address, amount, platform });
    return await open();
  });
  if (options.json) console.log(JSON.stringify(deposit));
  else console.log(`deposit ${deposit.id}: ${deposit.left} GLM, at most ${deposit.perHour} an hour`);
}

async function brokerCall<T>(url: string, path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
      ...(body && {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
  } catch {
    throw new CliError(`no broker answers at ${url}: start one with \`golem-temporal devnet broker\``);
  }
  const answer = (await response.json().catch(() => ({}))) as { message?: string };
  if (response.ok) return answer as T;
  throw usageError(answer.message ?? `the broker at ${url} answers ${response.status}`);
}

function seconds(value: string): number {
  if (!/^\d+(\.\d+)?$/.test(value) || Number(value) === 0)
    throw new InvalidArgumentError('a number of seconds, more than 0.');
  return Number(value);
}
