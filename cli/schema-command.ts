/** `golem-temporal schema NAME`: JSON Schemas, for editors and other languages. */
import type { Command } from 'commander';
import { providersJsonSchema } from '../devnet/provider/providers-file';
import { jsonSchema, SCHEMA_NAMES, schemaOf } from '../model/json-schema';
import { usageError } from './failure';

const PROVIDERS = 'providers';

export function addSchemaCommand(program: Command): void {
  const names = [
    ...SCHEMA_NAMES.map((name) => `${name}: ${schemaOf(name)}`),
    `${PROVIDERS}: the file of \`devnet --providers\``,
  ];
  program
    .command('schema')
    .description('print a JSON Schema')
    .argument('<what>', names.join('; '))
    .action((what: string) => {
      const name = SCHEMA_NAMES.find((each) => each === what);
      if (!name && what !== PROVIDERS) {
        const known = [...SCHEMA_NAMES, PROVIDERS].join(', ');
        throw usageError(`there is no schema of ${what}; there are those of: ${known}`);
      }
      console.log(JSON.stringify(name ? jsonSchema(name) : providersJsonSchema(), null, 2));
    });
}
