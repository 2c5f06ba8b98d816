/** How the command ends when it cannot do what was asked: one clear line, and an exit code scripts can rely on. */

export const EXIT_FAILED = 1;
/** What was given cannot be used: arguments, files, specs, ids. */
export const EXIT_USAGE = 2;
/** The rental has ended, or its VM is gone. */
export const EXIT_GONE = 3;
/** No worker answers, or the VM is not up yet: it may be tried again. */
export const EXIT_NOT_NOW = 4;
/** A script may have run or not. */
export const EXIT_UNCERTAIN = 5;
/** What was asked for takes a signature that it lacks. */
export const EXIT_REFUSED = 6;
/** As `timeout` of the shell. */
export const EXIT_TIMED_OUT = 124;

export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT_FAILED,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'CliError';
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, EXIT_USAGE);
}
