/** How the command ends when it cannot do what was asked: one clear line, and an exit code scripts can rely on. */
import { ApplicationFailure, WorkflowFailedError, CancelledFailure } from '@temporalio/client';
import { FAILURES } from '../model/failures';

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
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof WorkflowFailedError) return explainJobFailure(error);
  return { message: error instanceof Error ? error.message : String(error), exitCode: EXIT_FAILED };
}

function explainJobFailure(error: WorkflowFailedError): { message: string; exitCode: number } {
  let failure: unknown = error.cause;
  // The named failure may be wrapped in those of the activity or child workflow it came from.
  while (failure instanceof Error && !isNamed(failure) && failure.cause instanceof Error)
    failure = failure.cause;
  if (failure instanceof CancelledFailure) return { message: 'the job was cancelled', exitCode: EXIT_FAILED };
  if (isNamed(failure)) {
    return {
      message: `${failure.type}: ${failure.message}\n${FAILURES[failure.type].action}`,
      exitCode: failure.type === 'InvalidJobSpec' ? EXIT_USAGE : EXIT_FAILED,
    };
  }
  return { message: failure instanceof Error ? failure.message : error.message, exitCode: EXIT_FAILED };
}

function isNamed(error: unknown): error is ApplicationFailure & { type: keyof typeof FAILURES } {
  return error instanceof ApplicationFailure && typeof error.type === 'string' && error.type in FAILURES;
}
