/**
 * `golem-temporal devnet fault | cut | crash | shutdown | node | effects | open …`: the admin API of a devnet that runs, as
 * commands. What can be armed and what is wrong with it, the devnet says.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { AdminClient, adminOption as admin, type AdminFlags as Admin } from './devnet-admin';
import { addBrokerCommands } from './devnet-broker';
import { effectLine, faultLine, openLines } from './devnet-view';

const FOLLOW_SEC = 30;

/** @param devnet the command that starts one: these are its subcommands */
export function addDevnetCommands(devnet: Command): void {
  // What stands behind a subcommand is the subcommand's, also where both know a --node.
  devnet.enablePositionalOptions();
  faultCommands(devnet);
  linkCommands(devnet);
  addBrokerCommands(devnet);

  const node = devnet.command('node').description('stop, start or restart one of its requestor nodes');
  node.usage('<name> stop|start|restart [options]').argument('<name>').argument('<action>');
  const actions = ['stop', 'start', 'restart'];
  admin(node.option('--port <port>', 'where it listens from now on', integer)).action(
    async (name: string, action: string, options: Admin & { port?: number }) => {
      if (!actions.includes(action)) node.error(`a node can be told to ${actions.join(', ')}`);
      if (action === 'stop' && options.port !== undefined) node.error('stop takes no --port');
      const path = `/nodes/${encodeURIComponent(name)}/${action}`;
      const { url, running } = await clientOf(options).post<NodeState>(path, { port: options.port });
      console.log(`node ${name} ${running ? `runs at ${url}` : 'is stopped'}`);
    },
  );

  admin(devnet.command('effects').description('what happened on the network, oldest first'))
    .option('--follow', 'go on with what happens next')
    .option('--kind <kinds>', 'only of these kinds, with commas between them')
    .option('--after <seq>', 'only those after this one', integer, 0)
    .option('--json', 'one JSON object a line')
    .action(effects);

  admin(devnet.command('open').description('what is open on the network now'))
    .option('--json', 'as JSON')
    .action(async (options: Admin & { json?: boolean }) => {
      const open = await clientOf(options).get<Parameters<typeof openLines>[0]>('/open');
      console.log(options.json ? JSON.stringify(open) : openLines(open).join('\n'));
    });
}

function faultCommands(devnet: Command): void {
  const fault = devnet.command('fault').description('arm faults, list and clear them');

  admin(
    fault
      .command('arm <operation> <action>')
      .description(
        "have something go wrong on an operation (see `fault operations`), or on a path such as 'GET /registry/*'",
      ),
  )
    .option('--node <name>', 'only at this node')
    .option('--provider <name>', 'only where it concerns this provider')
    .option('--nth <n>', 'from the n-th match on (default: 1)', integer)
    .option('--times <n>', 'at so many matches, 0: at all of them (default: 1)', integer)
    .option('--probability <p>', 'chance of each match, 0 to 1 (default: 1)', number)
    .option('--seed <n>', 'of the chances, to have the same again', integer)
    .option('--sec <s>', 'seconds, of a delay, cut, freeze, crash or restart', number)
    .option('--status <code>', 'of an answer (default: 503)', integer)
    .option('--body <text>', 'of an answer: JSON, or text')
    .option('--message <text>', 'why a provider refuses or fails')
    .option(
      '--factor <f>',
      'by how much a bill or price is too large, or a note too early (default: 10)',
      number,
    )
    .option('--exit-code <n>', 'of a command that fails (default: 1)', integer)
    .option('--final', 'a refusal is for good')
    .action(async (on: string, action: string, { adminUrl, body, final, ...flags }: ArmFlags) => {
      const given = { ...flags, body: body === undefined ? undefined : jsonOrText(body), isFinal: final };
      const armed = await clientOf({ adminUrl }).post<FaultState>('/faults', { on, do: action, ...given });
      console.log(armed.id);
    });

  admin(fault.command('list').description('the faults that are armed'))
    .option('--json', 'as JSON')
    .action(async (options: Admin & { json?: boolean }) => {
      const faults = await clientOf(options).get<FaultState[]>('/faults');
      if (options.json) console.log(JSON.stringify(faults));
      else for (const each of faults) console.log(faultLine(each));
    });

  admin(fault.command('clear [id]').description('take one fault back, or all')).action(
    async (id: string | undefined, options: Admin) => {
      await clientOf(options).delete(id === undefined ? '/faults' : `/faults/${encodeURIComponent(id)}`);
    },
  );

  admin(
    fault.command('operations').description('what a fault can be armed on, and what can happen there'),
  ).action(async (options: Admin) => {
    const list = await clientOf(options).get<{ on: string; actions: string[] }[]>('/operations');
    const width = Math.max(...list.map(({ on }) => on.length));
    for (const { on, actions } of list) console.log(`${on.padEnd(width)}  ${actions.join(', ')}`);
  });
}

function linkCommands(devnet: Command): void {
  admin(devnet.command('cut').description('cut the network between nodes and providers'))
    .option('--node <name>', 'only from this node')
    .option('--provider <name>', 'only to this provider')
    .option('--sec <s>', 'for so many seconds (default: until `restore`)', number)
    .action(async ({ adminUrl, ...cut }: Admin & { node?: string; provider?: string; sec?: number }) => {
      await clientOf({ adminUrl }).post('/links/cut', cut);
    });

  admin(devnet.command('restore').description('undo all cuts, freezes and crashes')).action(
    async (options: Admin) => {
      await clientOf(options).post('/links/restore', {});
    },
  );

  const onProvider = (action: string, description: string): Command =>
    admin(devnet.command(`${action} <provider>`).description(description)).action(
      async (provider: string, { adminUrl, sec }: Admin & { sec?: number }) => {
        await clientOf({ adminUrl }).post(`/providers/${encodeURIComponent(provider)}/${action}`, { sec });
      },
    );
  const forSec = (command: Command, until: string): Command =>
    command.option('--sec <s>', `for so many seconds (default: until \`${until}\`)`, number);
  forSec(onProvider('crash', 'a provider is gone, and its VMs and agreements with it'), 'revive');
  onProvider('revive', 'a crashed provider comes back, and knows nothing of what it had');
  onProvider('kill-vms', "a provider's VMs die, and it goes on with its agreements");
  forSec(onProvider('freeze', 'a provider stands still and answers nobody'), 'thaw');
  onProvider('thaw', 'a frozen provider goes on');
  onProvider('shutdown', 'a provider takes its offer back and ends its agreements in good order');
  onProvider('reopen', 'a provider that was shut down offers again');
}

async function effects(
  options: Admin & { follow?: true; kind?: string; after: number; json?: true },
): Promise<void> {
  const client = clientOf(options);
  let { after } = options;
  do {
    const query = new URLSearchParams({
      after: String(after),
      timeout: options.follow ? String(FOLLOW_SEC) : '0',
    });
    if (options.kind !== undefined) query.set('kind', options.kind);
    const found = await client.get<{ seq: number; at: string; kind: string; cause?: string }[]>(
      `/effects?${query}`,
    );
    for (const effect of found) console.log(options.json ? JSON.stringify(effect) : effectLine(effect));
    after = found.at(-1)?.seq ?? after;
  } while (options.follow);
}

interface ArmFlags extends Admin {
  body?: string;
  final?: true;
  [flag: string]: unknown;
}

interface NodeState {
  url: string;
  running: boolean;
}

type FaultState = Parameters<typeof faultLine>[0];

function clientOf({ adminUrl }: Admin): AdminClient {
  return new AdminClient(adminUrl);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed)) throw new InvalidArgumentError('it is not a number.');
  return parsed;
}

function integer(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('it is not a whole number.');
  return Number(value);
}
