/** The first activity of a job: checks the spec, finds the image, and makes sure that yagna is there. */
import type { JobSpec } from '../model/job';
import { parseJobSpec } from '../model/spec';
import { isWorkerFile } from '../model/worker-files';
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { resolveImage } from './image';
import { installationOf } from './installation';
import { scanTaskFile } from './tasks-file';
import { failure, supportedVersion } from './yagna';

/** Best known before anything is rented. @throws InvalidJobSpec */
function refuseWorkerFiles({ setup, tasks }: Pick<JobSpec, 'setup' | 'tasks'>): void {
  const commands = [...setup, ...tasks.flatMap((task) => task.commands)];
  const places = [
    ...commands.flatMap((command) => ('transfer' in command ? Object.values(command.transfer) : [])),
    ...tasks.flatMap(({ checkpoint }) => (checkpoint ? [checkpoint.to, checkpoint.from ?? ''] : [])),
  ];
  const place = places.find(isWorkerFile);
  if (place === undefined) return;
  const problem = `${place}: the worker serves no files; start it with --files DIR, or give an http(s) URL`;
  throw failure('InvalidJobSpec', problem, [problem]);
}

export function prepareActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemPrepareJob'> {
  return {
    /**
     * Checks a spec and fills in what it leaves open.
     *
     * Effect: none.
     * @throws InvalidJobSpec - every problem with its path (not retried)
     * @throws TasksNotFound - the server of `tasks.from` refuses it (not retried)
     * @throws ImageNotFound - the registry does not know the tag (not retried)
     * @throws UnknownConnection, YagnaUnauthorized - (not retried)
     * @throws YagnaIncompatible - yagna is too old, or its version cannot be read (not retried)
     * @throws YagnaUnavailable, RegistryUnavailable, TasksUnavailable - (retried with backoff)
     */
    async golemPrepareJob({ spec: given }) {
      return await attempt(async ({ signal }) => {
        const checked = parseJobSpec(given, {
          ...env.specSettings,
          strategies: Object.keys(env.strategies),
        });
        if (!checked.ok) throw failure('InvalidJobSpec', checked.problems.join('\n'), checked.problems);
        if (!env.files) refuseWorkerFiles(checked.spec);
        const { taskFile: unread, ...spec } = checked.spec;
        const yagna = env.connections.get(spec.connection);
        const [installation, , , image, scanned] = await Promise.all([
          installationOf(env),
          supportedVersion(yagna, signal),
          // Whether it takes our key.
          yagna.me(signal),
          resolveImage(spec.image, { registryUrl: env.registryUrl, signal }),
          unread && scanTaskFile(unread, spec, signal),
        ]);
        return { spec: { ...spec, image, ...scanned }, installation };
      });
    },
  };
}
