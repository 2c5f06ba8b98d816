/** `golem-temporal schema job | providers`: JSON Schemas, for editors and other languages. */
import type { Command } from 'commander';
import { providersJsonSchema } from '../devnet/provider/providers-file';
import { jobSpecJsonSchema } from '../model/json-schema';
import { usageError } from './failure';

const SCHEMAS = new Map([
  ['job', jobSpecJsonSchema],
  ['providers', providersJsonSchema],
]);

export function addSchemaCommand(program: Command): void {
  program
    .command('schema')
    .description('print a JSON Schema')
    .argument('<what>', 'job: what `golem-temporal start` takes; providers: the file of `devnet --providers`')
    .action((what: string) => {
      const schema = SCHEMAS.get(what);
      if (!schema) {
        throw usageError(
          `there is no schema of ${what}; there are those of: ${[...SCHEMAS.keys()].join(', ')}`,
        );
      }
      console.log(JSON.stringify(schema(), null, 2));
    });
}
