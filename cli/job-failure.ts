/** What can go wrong with jobs and on Temporal, as the command says it. */
import { ApplicationFailure } from '@temporalio/common';
import { GolemJobError, UnknownJobError } from '../client/index';
import { CliError, EXIT_FAILED, EXIT_USAGE } from './failure';

/** Failures that the caller has to mend. */
const BAD_INPUT = ['InvalidJobSpec', 'JobIdInUse', 'UnknownConnection', 'InvalidTopUp'];

export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const failed = (text: string, isUsage: boolean): CliError =>
    new CliError(text, isUsage ? EXIT_USAGE : EXIT_FAILED, { cause: error });
  if (error instanceof GolemJobError) {
    const text = error.action === undefined ? message : `${message}\n${error.action}`;
    return failed(text, BAD_INPUT.includes(error.type));
  }
  const isUnknown = error instanceof ApplicationFailure && error.type === 'UnknownConnection';
  return failed(message, isUnknown || error instanceof UnknownJobError);
}
