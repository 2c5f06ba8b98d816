/**
 * Temporal's SDK is a peer dependency, which users of the devnet leave out. So whatever imports it is loaded when a
 * command needs it, and where it is missing the command says what to install.
 */
import { CliError } from './failure';
import { packageJson } from './package-json';

/** @throws CliError - what is loaded needs a package of Temporal's that is not installed */
export function loadTemporal<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [missing] = (code === 'MODULE_NOT_FOUND' && /@temporalio\/[\w-]+/.exec(message)) || [];
    if (missing === undefined) throw error;
    throw new CliError(
      `this command needs Temporal's SDK, and ${missing} is not installed: npm install ${peers()}`,
    );
  }
}

function peers(): string {
  const { peerDependencies } = packageJson();
  // The newest of the major version: a caret means something to some shells.
  return Object.entries(peerDependencies)
    .map(([name, range]) => `${name}@${/\d+/.exec(range)?.[0] ?? 'latest'}`)
    .join(' ');
}
