/** Registers the search attributes of jobs. */
import { isGrpcServiceError, type Client, type Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../model/search-attributes';
import { CliError } from './failure';
import { withTemporal } from './temporal-client';

/** Temporal's `IndexedValueType` on the wire, by the SDK's names. */
const WIRE_TYPES: Record<(typeof SEARCH_ATTRIBUTES)[keyof typeof SEARCH_ATTRIBUTES], number> = {
  KEYWORD: 2,
  DOUBLE: 4,
  KEYWORD_LIST: 7,
};

/** Prints what became of each. @throws CliError */
export async function register(): Promise<void> {
  for (const line of await withTemporal(registerMissing)) console.log(line);
}

async function registerMissing({ connection, options: { namespace } }: Client): Promise<string[]> {
  const { operatorService } = connection as Connection;
  const known = await operatorService.listSearchAttributes({ namespace }).catch(toldWhy);
  const lines: string[] = [];
  const missing: Record<string, number> = {};
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES)) {
    const there = known.customAttributes[name];
    if (there === undefined) missing[name] = WIRE_TYPES[type];
    else if (there !== WIRE_TYPES[type]) {
      const remove = `temporal operator search-attribute remove --namespace ${namespace} --name ${name}`;
      throw new CliError(
        `${name} is registered with another type than ${type}; jobs do without. Remove it with \`${remove}\` and try again`,
      );
    } else lines.push(`${name} (${type}) is registered already`);
  }
  if (Object.keys(missing).length > 0)
    await operatorService.addSearchAttributes({ namespace, searchAttributes: missing }).catch(toldWhy);
  const registered = Object.keys(missing).map(
    (name) => `${name} (${SEARCH_ATTRIBUTES[name as keyof typeof SEARCH_ATTRIBUTES]}) is registered now`,
  );
  return [...lines, ...registered];
}

/** UNIMPLEMENTED, PERMISSION_DENIED, UNAUTHENTICATED. */
const NOT_OURS = [12, 7, 16];

function toldWhy(error: unknown): never {
  if (isGrpcServiceError(error) && NOT_OURS.includes(error.code)) {
    const names = Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => `${name} (${type})`);
    throw new CliError(
      `this Temporal lets nobody register search attributes here (${error.details}). On Temporal Cloud create ${names.join(', ')} ` +
        'in its UI or by tcld, and give the plugin `searchAttributes: true`',
    );
  }
  throw error;
}
