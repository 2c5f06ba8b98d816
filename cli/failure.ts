/** How the command ends when it cannot do what was asked: one clear line, and an exit code scripts can rely on. */

export const EXIT_FAILED = 1;
/** What was given cannot be used: arguments, files, specs, ids. */
export const EXIT_USAGE = 2;

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
