/** `golem-temporal search-attributes`: has Temporal keep phase, providers and cost of jobs where lists can be filtered by them. */
import type { Command } from 'commander';
import type * as actions from './search-attributes-actions';
import { loadTemporal } from './temporal-sdk';

export function addSearchAttributesCommand(program: Command): void {
  program
    .command('search-attributes')
    .description(
      'register the search attributes GolemPhase, GolemProviders and GolemCost in the namespace: jobs set them from then on',
    )
    .action(async () => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { register } = loadTemporal(() => require('./search-attributes-actions') as typeof actions);
      await register();
    });
}
