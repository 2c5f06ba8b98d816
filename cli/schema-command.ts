/** `golem-temporal schema NAME`: JSON Schemas, for editors and other languages. */
import type { Command } from 'commander';
import type * as providersFile from '../devnet/provider/providers-file';
import type * as jsonSchemas from '../model/json-schema';
import { SCHEMA_NAMES, SCHEMA_OF } from '../model/schema-names';
import { usageError } from './failure';

const PROVIDERS = 'providers';

export function addSchemaCommand(program: Command): void {
  const names = [
    ...SCHEMA_NAMES.map((name) => `${name}: ${SCHEMA_OF[name]}`),
    `${PROVIDERS}: the file of \`devnet --providers\``,
  ];
  program
    .command('schema')
    .description('print a JSON Schema')
    .argument('<what>', names.join('; '))
    .action((what: string) => console.log(JSON.stringify(schemaOf(what), null, 2)));
}

/** Loads what it takes only now, which is a while. @throws CliError - there is none of that name */
function schemaOf(what: string): object {
  /* eslint-disable @typescript-eslint/no-require-imports */
  if (what === PROVIDERS)
    return (require('../devnet/provider/providers-file') as typeof providersFile).providersJsonSchema();
  const name = SCHEMA_NAMES.find((each) => each === what);
  if (name) return (require('../model/json-schema') as typeof jsonSchemas).jsonSchema(name);
  const known = [...SCHEMA_NAMES, PROVIDERS].join(', ');
  throw usageError(`there is no schema of ${what}; there are those of: ${known}`);
}
