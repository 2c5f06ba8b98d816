/** `golem-temporal ui`, as it is given; what it does is in `ui-actions`. */
import { InvalidArgumentError, type Command } from 'commander';
import { loadTemporal } from './temporal-sdk';
import type * as uiActions from './ui-actions';

const LISTEN = { host: '127.0.0.1', port: 7460 };

export function addUiCommand(program: Command): void {
  program
    .command('ui')
    .description('serve a page of all jobs: timeline, tasks, cost, providers, bills and events, live')
    .option(
      '--listen <host:port>',
      `where to serve it; anywhere but on this machine alone it asks for a token, that of GOLEM_UI_TOKEN or a new one (default: ${LISTEN.host}:${LISTEN.port})`,
      address,
    )
    .option(
      '--temporal-ui <url>',
      "Temporal's own UI, to link to (default: TEMPORAL_UI_URL, or a local dev server's)",
      webUrl,
    )
    .action(({ listen = LISTEN, temporalUi }: Partial<Parameters<typeof uiActions.ui>[0]>) => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { ui } = loadTemporal(() => require('./ui-actions') as typeof uiActions);
      return ui({ listen, temporalUi });
    });
}

/** @throws InvalidArgumentError */
function address(value: string): { host: string; port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(value) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('give host and port, such as 0.0.0.0:7460; port 0 is a free one.');
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** @throws InvalidArgumentError */
export function webUrl(value: string): string {
  if (!/^https?:\/\/[^\s/?#@]+[^\s?#]*$/.test(value))
    throw new InvalidArgumentError('give an http(s) URL, such as http://localhost:8233.');
  return value;
}
