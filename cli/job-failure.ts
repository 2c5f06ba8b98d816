/** What can go wrong with jobs and on Temporal, as the command says it. */
import { ApplicationFailure } from '@temporalio/common';
import {
  GolemJobError,
  GolemRentalError,
  NoAnswerError,
  UnknownJobError,
  UnknownRentalError,
} from '../client/index';
import { CliError, EXIT_FAILED, EXIT_GONE, EXIT_NOT_NOW, EXIT_REFUSED, EXIT_USAGE } from './failure';

/** Failures that the caller has to mend. */
const BAD_INPUT = [
  ...['InvalidJobSpec', 'JobIdInUse', 'UnknownConnection', 'InvalidTopUp', 'UnknownScript'],
  ...['UnknownActivity', 'FilesNotServed'],
];

function exitCodeOf(type: string): number {
  if (BAD_INPUT.includes(type)) return EXIT_USAGE;
  if (type === 'ControlRefused') return EXIT_REFUSED;
  return type === 'RentalNotReady' ? EXIT_NOT_NOW : EXIT_FAILED;
}

/** Its rental, or what it was to take over, has ended. */
const GONE = ['AgreementEnded', 'RentalDetached', 'ActivityEnded'];

/** @param type - of a failure of a rental */
export function rentalExitCode(type: string): number {
  return GONE.includes(type) ? EXIT_GONE : exitCodeOf(type);
}

export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const failed = (text: string, exitCode: number): CliError => new CliError(text, exitCode, { cause: error });
  if (error instanceof GolemJobError || error instanceof GolemRentalError) {
    const text = error.action === undefined ? message : `${message}\n${error.action}`;
    if (error instanceof GolemJobError) return failed(text, exitCodeOf(error.type));
    // Nothing can be done about an end; and where its VM lives on, the message says what can.
    return failed(GONE.includes(error.type) ? message : text, rentalExitCode(error.type));
  }
  if (error instanceof NoAnswerError) return failed(message, EXIT_NOT_NOW);
  const isUnknown =
    error instanceof UnknownJobError ||
    error instanceof UnknownRentalError ||
    (error instanceof ApplicationFailure && error.type === 'UnknownConnection');
  return failed(message, isUnknown ? EXIT_USAGE : EXIT_FAILED);
}
