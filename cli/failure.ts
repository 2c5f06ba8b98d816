/** How the command ends when it cannot do what was asked: one clear line, and an exit code scripts can rely on. */

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_GONE = 3;
export const EXIT_NOT_NOW = 4;
export const EXIT_UNCERTAIN = 5;
export const EXIT_REFUSED = 6;
/** As `timeout` of the shell. */
export const EXIT_TIMED_OUT = 124;
/** 128 and SIGINT's number, as of the shell. */
export const EXIT_INTERRUPTED = 130;

/** The one list of them: `--help` of the program shows it, and docs/cli.md is compared with it. */
export const EXIT_CODES: readonly (readonly [code: number, means: string])[] = [
  [0, 'it is done'],
  [EXIT_FAILED, 'it failed: a job, a script, Temporal that does not answer, a doctor that found something'],
  [EXIT_USAGE, 'what was given cannot be used: arguments, a file, a spec, an id that nobody has'],
  [EXIT_GONE, 'what it is about is over: a job, a rental, or its VM'],
  [EXIT_NOT_NOW, 'not now: no worker answers, or the VM or the task is not that far'],
  [EXIT_UNCERTAIN, 'nobody can know whether a script ran'],
  [EXIT_REFUSED, 'refused: it has an owner, and there is no key, or none that may'],
  [EXIT_TIMED_OUT, 'a script took longer than its --timeout'],
  [EXIT_INTERRUPTED, 'interrupted: only the waiting ended, what was waited for goes on'],
];

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
