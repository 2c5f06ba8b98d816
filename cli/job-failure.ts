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
const BAD_INPUT = ['InvalidJobSpec', 'JobIdInUse', 'UnknownConnection', 'InvalidTopUp', 'UnknownScript'];

function exitCodeOf(type: string): number {
  if (BAD_INPUT.includes(type)) return EXIT_USAGE;
  if (type === 'ControlRefused') return EXIT_REFUSED;
  return type === 'RentalNotReady' ? EXIT_NOT_NOW : EXIT_FAILED;
}

export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const failed = (text: string, exitCode: number): CliError => new CliError(text, exitCode, { cause: error });
  if (error instanceof GolemJobError || error instanceof GolemRentalError) {
    const text = error.action === undefined ? message : `${message}\n${error.action}`;
    const isGone = error instanceof GolemRentalError && error.type === 'AgreementEnded';
    return failed(isGone ? message : text, isGone ? EXIT_GONE : exitCodeOf(error.type));
  }
  if (error instanceof NoAnswerError) return failed(message, EXIT_NOT_NOW);
  const isUnknown =
    error instanceof UnknownJobError ||
    error instanceof UnknownRentalError ||
    (error instanceof ApplicationFailure && error.type === 'UnknownConnection');
  return failed(message, isUnknown ? EXIT_USAGE : EXIT_FAILED);
}
