/** `golem-temporal key | grant | revoke`, as they are given, and the option `--key`; what they do is in `control-actions`. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { CONTROL_KEY, PERMISSIONS, type Permission } from '../model/control';
import type * as controlActions from './control-actions';
import { durationSec } from './duration';
import { notEmpty } from './names';
import { loadTemporal } from './temporal-sdk';

const actions = (): typeof controlActions =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  loadTemporal(() => require('./control-actions') as typeof controlActions);

export function addControlCommands(program: Command): void {
  program
    .command('key')
    .description('make a private key that controls closed rentals; prints its public key')
    .argument('<file>', 'file for it, which must not be there yet')
    .option('--show', 'make none: print the public key of the one in the file')
    .action((...[file, options]: Parameters<typeof controlActions.key>) => actions().key(file, options));

  program
    .command('grant')
    .description('pass control of a closed rental on to another key, fully or in part')
    .argument('<rental>', 'id of the rental; or of a job, for its budget and its end', notEmpty)
    .argument('<key>', 'public key of whom it is passed on to; after -- where it begins with -', publicKey)
    .option('--may <what>', `all, or some of ${PERMISSIONS.join(',')}`, permissions)
    .option('--until <when>', 'for so long, such as 2h, or until a time, such as 2030-01-31T12:00:00Z', end)
    .addOption(keyOption('of the owner, or of whom may grant'))
    .action((...[rental, key, options, command]: [...Parameters<typeof controlActions.grant>, Command]) => {
      requireOptions(command, 'may', 'until', 'key');
      return actions().grant(rental, key, options);
    });

  program
    .command('revoke')
    .description('take back what a key was granted, and what it has passed on')
    .argument('<rental>', 'id of the rental, or of the job', notEmpty)
    .argument('<key>', 'public key that was granted something', publicKey)
    .addOption(keyOption('of the owner, or of whom it has its grant from'))
    .action((...[rental, key, options, command]: [...Parameters<typeof controlActions.revoke>, Command]) => {
      requireOptions(command, 'key');
      return actions().revoke(rental, key, options);
    });
}

/** Commander asks for mandatory options before arguments; who has given nothing yet is best told of the rental. */
function requireOptions(command: Command, ...names: string[]): void {
  for (const option of command.options)
    if (
      names.includes(option.attributeName()) &&
      command.getOptionValue(option.attributeName()) === undefined
    )
      command.error(`error: required option '${option.flags}' not specified`);
}

/** @param whose - what the key must be good for */
export function keyOption(whose = 'of its owner, or one with a grant, where it has an owner'): Option {
  return new Option('--key <file>', `private key to sign with: ${whose}`);
}

/** @throws InvalidArgumentError */
export function publicKey(value: string): string {
  if (!CONTROL_KEY.test(value))
    throw new InvalidArgumentError('a public key has 43 characters: golem-temporal key prints one.');
  return value;
}

function permissions(value: string): Permission[] {
  if (value === 'all') return [...PERMISSIONS];
  const named = value.split(',');
  const isPermission = (each: string): each is Permission =>
    (PERMISSIONS as readonly string[]).includes(each);
  if (!named.every(isPermission))
    throw new InvalidArgumentError(`it is all, or some of ${PERMISSIONS.join(',')}.`);
  return named;
}

/** @returns RFC 3339 */
function end(value: string): string {
  const isTime = /^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value));
  if (isTime) return new Date(value).toISOString();
  try {
    return new Date(Date.now() + durationSec(value) * 1000).toISOString();
  } catch {
    throw new InvalidArgumentError(
      'give a duration, a whole number with s, m, h or d such as 2h, or a time such as 2030-01-31T12:00:00Z.',
    );
  }
}
