/** The first activity of a job: checks the spec, finds the image, and makes sure that yagna is there. */
import { parseJobSpec } from '../model/spec';
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { resolveImage } from './image';
import { installationOf } from './installation';
import { resolvePayer } from './payer';
import { scanTaskFile } from './tasks-file';
import { unservedFile } from './worker-files';
import { failure, supportedVersion } from './yagna';

export function prepareActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemPrepareJob'> {
  return {
    /**
     * Checks a spec and fills in what it leaves open: where its image is, and whose wallet pays.
     *
     * Effect: none.
     * @throws InvalidJobSpec - every problem with its path (not retried)
     * @throws FilesNotServed - it has files of the worker transferred, which serves none (not retried)
     * @throws TasksNotFound - the server of `tasks.from` refuses it (not retried)
     * @throws ImageNotFound - the registry does not know the tag (not retried)
     * @throws UnknownConnection, YagnaUnauthorized - (not retried)
     * @throws YagnaIncompatible - yagna is too old, or its version cannot be read (not retried)
     * @throws YagnaUnavailable, RegistryUnavailable, TasksUnavailable, PayerUnavailable - (retried with backoff)
     */
    async golemPrepareJob({ spec: given }) {
      return await attempt(async ({ signal }) => {
        const checked = parseJobSpec(given, {
          ...env.specSettings,
          strategies: Object.keys(env.strategies),
        });
        if (!checked.ok) throw failure('InvalidJobSpec', checked.problems.join('\n'), checked.problems);
        // Best known before anything is rented.
        const unserved = env.files ? undefined : unservedFile(checked.spec);
        if (unserved) throw failure('FilesNotServed', unserved);
        const { taskFile: unread, ...spec } = checked.spec;
        const { payer, ...budget } = spec.budget;
        const yagna = env.connections.get(spec.connection);
        const [installation, , , image, scanned, resolved] = await Promise.all([
          installationOf(env),
          supportedVersion(yagna, signal),
          // Whether it takes our key.
          yagna.me(signal),
          resolveImage(spec.image, { registryUrl: env.registryUrl, signal }),
          unread && scanTaskFile(unread, spec, { servesFiles: env.files !== undefined }, signal),
          payer && resolvePayer(payer, signal),
        ]);
        const paid = { ...budget, ...(resolved && { payer: resolved }) };
        return { spec: { ...spec, image, budget: paid, ...scanned }, installation };
      });
    },
  };
}
