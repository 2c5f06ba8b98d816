/** A failure of ours as the command tells it: by its name, and with what to do. */
import { ApplicationFailure } from '@temporalio/common';
import { CORRECT_ARGUMENT, FAILURES } from '../model/failures';
import { CliError } from './failure';
import { rentalExitCode, withAction } from './job-failure';

/** @throws CliError - for a failure that has a name */
export async function named<T>(doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    if (!(error instanceof ApplicationFailure) || !error.type || !Object.hasOwn(FAILURES, error.type))
      throw error;
    const isInvalid = error.type === 'InvalidJobSpec';
    const action = isInvalid ? CORRECT_ARGUMENT : FAILURES[error.type as keyof typeof FAILURES].action;
    const text = withAction(`${error.type}: ${error.message}`, action);
    throw new CliError(text, rentalExitCode(error.type), { cause: error });
  }
}
