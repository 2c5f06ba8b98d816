/** `golem-temporal schema job`: the JSON Schema of a job spec, for editors and other languages. */
import type { Command } from 'commander';
import { jobSpecJsonSchema } from '../model/json-schema';
import { usageError } from './failure';

export function addSchemaCommand(program: Command): void {
  program
    .command('schema')
    .description('print a JSON Schema')
    .argument('<what>', 'job: what `golem-temporal start` takes')
    .action((what: string) => {
      if (what !== 'job') throw usageError(`there is no schema of ${what}; there is one of: job`);
      console.log(JSON.stringify(jobSpecJsonSchema(), null, 2));
    });
}
