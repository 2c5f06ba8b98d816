/** The user's own folders, as the XDG base directory specification has them. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const BELOW_HOME = { XDG_CACHE_HOME: '.cache', XDG_DATA_HOME: join('.local', 'share') };

/** Where a variable is empty or no absolute path it counts as not set. */
export function userFolder(variable: keyof typeof BELOW_HOME, env: NodeJS.ProcessEnv = process.env): string {
  const set = env[variable];
  return set !== undefined && isAbsolute(set) ? set : join(homedir(), BELOW_HOME[variable]);
}
