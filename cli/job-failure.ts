/** What can go wrong with jobs and on Temporal, as the command says it. */
import { ApplicationFailure, NamespaceNotFoundError, ValueError } from '@temporalio/common';
import { isGrpcServiceError } from '@temporalio/client';
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
const GONE = ['AgreementEnded', 'RentalDetached', 'ActivityEnded', 'JobEnding'];

/** @param type - of a failure of a rental */
export function rentalExitCode(type: string): number {
  return GONE.includes(type) ? EXIT_GONE : exitCodeOf(type);
}

/** In one line, where the message is one. */
export function withAction(message: string, action: string | undefined): string {
  if (action === undefined) return message;
  if (message.includes('\n')) return `${message}\n${action}`;
  return `${message}${/[.!?]$/.test(message) ? '' : '.'} ${action}`;
}

/** gRPC's statuses of a Temporal that is away, or was too slow. */
const AWAY = [4, 14];
const UNAUTHENTICATED = [7, 16];

export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const failed = (text: string, exitCode: number): CliError => new CliError(text, exitCode, { cause: error });
  if (error instanceof GolemJobError || error instanceof GolemRentalError) {
    const text = withAction(message, error.action);
    if (error instanceof GolemJobError) return failed(text, rentalExitCode(error.type));
    // Nothing can be done about an end; and where its VM lives on, the message says what can.
    return failed(GONE.includes(error.type) ? message : text, rentalExitCode(error.type));
  }
  if (error instanceof NoAnswerError) return failed(message, EXIT_NOT_NOW);
  if (error instanceof UnknownJobError || error instanceof UnknownRentalError)
    return failed(`${message}; golem-temporal list shows all jobs`, EXIT_USAGE);
  if (error instanceof ApplicationFailure && error.type === 'UnknownConnection')
    return failed(message, EXIT_USAGE);
  if (error instanceof ValueError && message.startsWith('Unknown encoding: '))
    return failed(
      `payloads of this namespace are encoded (${message.slice(18)}): set TEMPORAL_CODEC_ENDPOINT to its codec server`,
      EXIT_USAGE,
    );
  return ofTemporal(error) ?? failed(message, EXIT_FAILED);
}

/** What Temporal itself refuses, in words that say what to do. */
function ofTemporal(error: unknown): CliError | undefined {
  const namespace = namespaceMissing(error);
  if (namespace !== undefined) return new CliError(noNamespace(namespace), EXIT_USAGE, { cause: error });
  for (let at = error; at instanceof Error; at = at.cause) {
    if (!isGrpcServiceError(at)) continue;
    const details = at.details || at.message;
    if (AWAY.includes(at.code))
      return new CliError(
        `Temporal does not answer: try again, or look at its server (${details})`,
        EXIT_FAILED,
        {
          cause: error,
        },
      );
    if (UNAUTHENTICATED.includes(at.code))
      return new CliError(
        `Temporal refuses us: check TEMPORAL_API_KEY, or the certificate of TEMPORAL_TLS_CLIENT_CERT_PATH (${details})`,
        EXIT_USAGE,
        { cause: error },
      );
  }
  return undefined;
}

export const noNamespace = (namespace: string): string =>
  `Temporal has no namespace ${namespace}: create it, or set TEMPORAL_NAMESPACE to one it has`;

/** Its name. */
function namespaceMissing(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof NamespaceNotFoundError) return at.namespace;
    const named = /Namespace (\S+) is not found/.exec(at.message);
    if (named) return named[1];
  }
  return undefined;
}
