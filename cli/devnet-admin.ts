/** A devnet's admin API, for commands: what it refuses is the user's mistake, and nobody there is one clear line. */
import type { Command } from 'commander';
import { CliError, usageError } from './failure';

const DEFAULT_ADMIN_URL = 'http://127.0.0.1:7466';

export interface AdminFlags {
  adminUrl: string;
}

/** Lets a command be told which devnet is meant. */
export function adminOption(command: Command): Command {
  const adminUrl = process.env.DEVNET_ADMIN_URL || DEFAULT_ADMIN_URL;
  return command.option('--admin-url <url>', 'of the devnet, also DEVNET_ADMIN_URL', adminUrl);
}

export class AdminClient {
  private readonly base: URL;

  /** @throws CliError - it is no URL */
  constructor(private readonly url: string) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw usageError(`--admin-url ${url} is no URL such as http://127.0.0.1:7466`);
    this.base = new URL(url.endsWith('/') ? url : `${url}/`);
  }

  get<T>(path: string): Promise<T> {
    return this.call('GET', path);
  }

  post<T>(path: string, body: object): Promise<T> {
    return this.call('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.call('DELETE', path);
  }

  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    let response: Response;
    try {
      response = await fetch(new URL(path.slice(1), this.base), {
        method,
        ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch {
      throw new CliError(
        `no devnet's admin API answers at ${this.url}: start one with \`golem-temporal devnet\``,
      );
    }
    const answer = await jsonOf(response);
    if (response.ok && answer !== undefined) return answer as T;
    const { message } = (answer ?? {}) as { message?: string };
    if (message === undefined) throw new CliError(`what answers at ${this.url} is no devnet's admin API`);
    throw response.status < 500 ? usageError(message) : new CliError(message);
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
