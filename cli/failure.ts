/** How the command ends when it cannot do what was asked: one clear line, and an exit code scripts can rely on. */
import { ApplicationFailure } from '@temporalio/common';
import { GolemJobError, UnknownJobError } from '../client/index';

export const EXIT_FAILED = 1;
/** What was given cannot be used: arguments, files, specs, ids. */
export const EXIT_USAGE = 2;

export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT_FAILED,
  ) {
    super(message);
    this.name = 'CliError';
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, EXIT_USAGE);
}

/** What to print, and the exit code, for anything that was thrown. */
export function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof GolemJobError) {
    const badInput = ['InvalidJobSpec', 'JobIdInUse', 'UnknownConnection'].includes(error.type);
    return {
      message: error.action === undefined ? error.message : `${error.message}\n${error.action}`,
      exitCode: badInput ? EXIT_USAGE : EXIT_FAILED,
    };
  }
  if (error instanceof ApplicationFailure && error.type === 'UnknownConnection')
    return { message: error.message, exitCode: EXIT_USAGE };
  if (error instanceof UnknownJobError) return { message: error.message, exitCode: EXIT_USAGE };
  return {
    message: error instanceof Error ? error.message : String(error),
    exitCode: error instanceof CliError ? error.exitCode : EXIT_FAILED,
  };
}
