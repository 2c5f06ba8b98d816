/** `golem-temporal devnet`: the local network, which runs until it is told to stop. */
import { InvalidArgumentError, type Command } from 'commander';
import type * as devnetIndex from '../devnet/index';
import type { NodeOptions } from '../devnet/index';
import { dataOption, makeFolder, removeMade } from './data-folder';
import { addDevnetCommands } from './devnet-commands';
import { usageError, type CliError } from './failure';
import { port } from './port';

export function addDevnetCommand(program: Command): void {
  const devnet = program
    .command('devnet')
    .description(
      'run a local Golem network: the REST API of yagna and providers that run commands on this machine',
    )
    .option('--port <port>', 'port of its API, 0 for a free one', port, 7465)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--app-key <key>', 'app key it accepts; may be repeated (default: try_golem)', list(appKey))
    .option(
      '--node <name[:port[:key]]>',
      'one more requestor on the same network; may be repeated',
      list(node),
    )
    .option('--admin-port <port>', 'port of its admin API (default: the next after --port)', port)
    .option('--payment-cycle <sec>', 'seconds from an acceptance to its payment, 0 for at once', seconds, 1)
    .option(
      '--funds <glm>',
      'GLM that each requestor gets at its first allocation on a platform',
      glm,
      '1000',
    )
    .option('--providers <file>', 'its providers, JSON (default: five different ones)')
    .option(
      '--rebroadcast <sec>',
      'seconds between two rounds of offers of free providers, 0 for never (default: as --providers has it)',
      seconds,
    )
    .option(
      '--image <tag>',
      'one more image that its registry knows, such as me/renderer:v2; may be repeated',
      list(image),
    )
    .addOption(dataOption('where it keeps its state', 'devnet'))
    .option('--fresh', 'begin with nothing: what a devnet has left in --data is removed')
    .option('--retention <sec>', 'seconds for which it remembers what is over', seconds, 86_400)
    .action(async (options: DevnetFlags, command: Command) => {
      const [unknown] = command.args;
      if (unknown !== undefined) throw noSuchCommand(unknown, command);
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const devnetModule = require('../devnet/index') as typeof devnetIndex;
      const { DataDirError, startDevnet, OptionsError, ProvidersError } = devnetModule;
      const made = await makeFolder('--data', options.data);
      // From now on, so that what is half begun is taken back in order.
      const stopped = untilStopped();
      const { appKey: appKeys = ['try_golem'] } = options;
      const log: string[] = [];
      const devnet = await startDevnet({
        port: options.port,
        host: options.host,
        appKeys,
        nodes: options.node,
        adminPort: options.adminPort ?? (options.port === 0 ? 0 : options.port + 1),
        paymentCycleSec: options.paymentCycle,
        funds: options.funds,
        providers: options.providers,
        rebroadcastSec: options.rebroadcast,
        images: options.image,
        dataDir: options.data,
        fresh: options.fresh,
        retentionSec: options.retention,
        log: (line) => void log.push(line),
      }).catch((error: ListenError) => {
        removeMade(options.data, made);
        if (error instanceof ProvidersError || error instanceof OptionsError) throw usageError(error.message);
        if (error instanceof DataDirError) throw usageError(`${error.message}, with --data`);
        throw listenFailure(error, options) ?? error;
      });
      // The first line says how isolated commands are.
      if (log[0] !== undefined) console.error(log[0]);
      const [, ...others] = devnet.nodes;
      for (const node of others) console.log(`node ${node.name} at ${node.url}, app key ${node.appKey}`);
      console.log(`devnet page at ${devnet.adminUrl}`);
      console.log(`devnet admin API at ${devnet.adminUrl}`);
      const keys = `app key${appKeys.length > 1 ? 's' : ''} ${appKeys.join(', ')}`;
      console.log(`devnet ready at ${devnet.url}, ${keys}`);
      await stopped;
      await devnet.close();
    });
  addDevnetCommands(devnet);
  // Not before, because subcommands inherit it: an excess argument here is taken for one that there is not.
  devnet.allowExcessArguments();
}

function noSuchCommand(name: string, { commands }: Command): Error {
  const names = commands.map((each) => each.name());
  return usageError(`devnet has no command "${name}"; there are: ${names.join(', ')}`);
}

type ListenError = NodeJS.ErrnoException & { port?: number };

/** Undefined for an error that is not about where to listen. */
function listenFailure({ code, port, message }: ListenError, flags: DevnetFlags): CliError | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return usageError(
        `port ${port} is in use, perhaps by a devnet that runs already: ` +
          `give another, or 0 for a free one, with ${flagOfPort(port, flags)}`,
      );
    case 'EACCES':
      if (port === undefined) return undefined;
      return usageError(`you may not listen on port ${port}: give one from 1024 up, or 0 for a free one`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      if (!/listen|getaddrinfo/.test(message)) return undefined;
      return usageError(`cannot listen on --host ${flags.host}: it is no address of this machine`);
    default:
      return undefined;
  }
}

function flagOfPort(port: number | undefined, flags: DevnetFlags): string {
  if (port === flags.port) return '--port';
  if (flags.node?.some((node) => node.port === port)) return '--node';
  return '--admin-port';
}

interface DevnetFlags {
  port: number;
  host: string;
  appKey?: string[];
  node?: NodeOptions[];
  adminPort?: number;
  paymentCycle: number;
  funds: string;
  providers?: string;
  rebroadcast?: number;
  image?: string[];
  data: string;
  fresh?: true;
  retention: number;
}

/** Collects the values of a flag that may be repeated. */
function list<T>(parse: (value: string) => T): (value: string) => T[] {
  const given: T[] = [];
  return (value) => {
    given.push(parse(value));
    return given;
  };
}

function appKey(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('an app key is not empty.');
  return value;
}

/** `bob`, `bob:7475` or `bob:7475:bobs_key`. */
function node(value: string): NodeOptions {
  const [name = '', portText, ...key] = value.split(':');
  if (!/^[\w-]+$/.test(name))
    throw new InvalidArgumentError('a node is given as name, name:port or name:port:key.');
  const appKeys = key.length > 0 ? [appKey(key.join(':'))] : undefined;
  return { name, port: portText ? port(portText) : 0, appKeys };
}

function seconds(value: string): number {
  if (!/^\d+(\.\d+)?$/.test(value)) throw new InvalidArgumentError('a number of seconds, 0 or more.');
  return Number(value);
}

/** As text: no number in code holds money. */
function glm(value: string): string {
  if (!/^\d+(\.\d{1,18})?$/.test(value))
    throw new InvalidArgumentError('an amount of GLM, 0 or more, with up to 18 decimals.');
  return value;
}

function image(value: string): string {
  if (!/^[\w.-]+\/[\w.-]+(:[\w.-]+)?$/.test(value))
    throw new InvalidArgumentError('an image is given as user/name or user/name:version.');
  return value;
}

async function untilStopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
