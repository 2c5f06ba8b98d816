/**
 * The commands on the pages, followed by a reader: a devnet, Temporal and a worker as the pages start them, and each block run
 * as it stands there. What a page takes for granted is made ready before the block that needs it.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemClient } from '../client';
import type { JobSpec } from '../workflow-helpers';
import { allPages, toRun, type DocBlock } from '../scripts/doc-blocks';
import { Reader } from './support/reader';
import { tempDir } from './support/temp-dir';

const IMAGE = 'golem/alpine:latest';
const QUICK: JobSpec = { image: IMAGE, budget: '1', tasks: ['echo one', 'echo two', 'echo three'] };
const LONG: JobSpec = { image: IMAGE, budget: '1', tasks: ['sleep 3600'] };

const followed: DocBlock[] = [];
const blocksOf = (page: string): DocBlock[] => toRun(page, 'docs-run');

let reader: Reader;
/** Another one, whose devnets are for nobody else. */
let apart: Reader;
let golem: GolemClient;

/** The blocks of a page under a heading, each of which is run once. */
async function follow(page: string, heading?: string, who = reader): Promise<string[]> {
  const blocks = blocksOf(page).filter((block) => heading === undefined || block.heading === heading);
  if (blocks.length === 0) throw new Error(`${page} has nothing to run under ${heading}`);
  const printed: string[] = [];
  for (const block of blocks) {
    followed.push(block);
    printed.push(...(await who.follow(block.text)));
  }
  return printed;
}

/** The same of a page with one block, line by line. @param before makes ready what a line needs, by how it begins */
async function followLines(
  block: DocBlock | undefined,
  before: Record<string, () => Promise<void>>,
  after: (line: string, printed: string[]) => void = () => undefined,
): Promise<void> {
  if (!block) throw new Error('there is no such block');
  followed.push(block);
  for (const line of block.text.split('\n').filter(Boolean)) {
    await before[Object.keys(before).find((begin) => line.startsWith(begin)) ?? '']?.();
    after(line, await reader.follow(line));
  }
}

const write = (name: string, content: object): void =>
  writeFileSync(join(reader.folder, name), JSON.stringify(content));

async function start(jobId: string, spec: JobSpec): Promise<void> {
  await golem.startJob(spec, { jobId });
}
async function isOver(jobId: string): Promise<void> {
  await golem.result(jobId).catch(() => undefined);
  await golem.settled(jobId);
}
async function doneJob(jobId: string): Promise<void> {
  await start(jobId, QUICK);
  await isOver(jobId);
}
async function endJob(jobId: string): Promise<void> {
  await golem.terminate(jobId);
  await isOver(jobId);
}
/** @returns id of the Golem activity of its VM */
async function rent(jobId: string): Promise<string> {
  const { rentalId } = await golem.rent({ image: IMAGE, budget: '1' }, { jobId });
  await golem.exec(rentalId, ['echo hello > /golem/work/file']);
  return (await golem.rentalProgress(rentalId)).activityId ?? '';
}
async function rentAndDetach(jobId: string): Promise<string> {
  await rent(jobId);
  const { activityId } = await golem.detach(jobId);
  await golem.result(jobId);
  return activityId;
}
/** Of the VM that was that job's. */
const endAttached = async (activityId: string, jobId = 'my-vm'): Promise<void> => {
  const rentalId = `golem-attach-${activityId}`;
  await golem.terminate(rentalId, 'seen enough');
  await golem.client.workflow.getHandle(rentalId).result();
  await golem.settled(jobId);
};

const folder = tempDir('docs');
const folderApart = tempDir('docs-apart');
beforeAll(async () => {
  [reader, apart] = await Promise.all([Reader.start(folder), Reader.start(folderApart)]);
  await copyFile(join(__dirname, '..', 'examples', 'storage.js'), join(reader.folder, 'storage.js'));
  // All that the other pages need is here then.
  const [block] = blocksOf('examples/README.md');
  if (!block) throw new Error('examples/README.md says nothing of what examples need');
  followed.push(block);
  await reader.follow(block.text);
  await reader.follow(setting());
  golem = await GolemClient.connect({ address: reader.env.TEMPORAL_ADDRESS });
});
afterAll(async () => {
  await golem?.close();
  await Promise.all([reader, apart].map((each) => each?.endTerminals()));
});

/** How the page of the devnet tells programs of it. */
function setting(): string {
  const block = blocksOf('docs/devnet.md').find(({ text }) => text.startsWith('export '));
  if (!block) throw new Error('docs/devnet.md does not say where the network is');
  followed.push(block);
  return block.text;
}

/** What a command's section takes for granted, and what is to be taken away after it. */
interface Stage {
  before?: () => Promise<unknown>;
  after?: () => Promise<unknown>;
}

const KEY = 'zWm2yJ3hQkVbEw8cXo1dTn6rLs5uPa9fGi4eKj7vBqM';
const PROVIDERS = JSON.stringify([{ name: 'one' }]);
const ACTIVITY = '4f0c8a2b6d1e4f3a9b7c5d3e1f2a4b6c';
const meant = (word: string): string => reader.words.get(word) ?? '';

/** Of docs/cli.md, in its order; what is not here takes nothing for granted. */
const STAGES: Record<string, Stage> = {
  init: { before: async () => rmSync(join(reader.folder, 'job.yaml'), { force: true }) },
  watch: { before: () => isOver('nightly') },
  cancel: { before: () => start('nightly', LONG) },
  topup: {
    async before() {
      await isOver('nightly');
      await start('nightly', LONG);
    },
    after: () => endJob('nightly'),
  },
  result: { before: () => doneJob('nightly') },
  terminate: { after: () => isOver('my-vm') },
  attach: {
    before: async () => reader.words.set(ACTIVITY, await rentAndDetach('my-vm')),
    after: () => endAttached(meant(ACTIVITY)),
  },
  detach: {
    before: async () => reader.words.set(ACTIVITY, await rent('my-vm')),
    async after() {
      await golem.attach({ activityId: meant(ACTIVITY) });
      await endAttached(meant(ACTIVITY));
    },
  },
  grant: {
    async before() {
      rmSync(join(reader.folder, 'me.json'));
      const [owner = ''] = await reader.follow('golem-temporal key me.json');
      const [agent = ''] = await reader.follow('golem-temporal key agent.json');
      reader.words.set(KEY, agent);
      await reader.follow(`golem-temporal rent --image ${IMAGE} --budget 1 --id my-vm --owner ${owner}`);
    },
  },
  revoke: { after: () => reader.follow('golem-temporal terminate my-vm --key me.json') },
  reconcile: { after: () => reader.follow('golem-temporal reconcile --remove') },
  doctor: { before: () => reader.follow('golem-temporal worker --task-queue own') },
  ui: { before: async () => writeFileSync(join(reader.folder, 'token'), 'a token that nobody guesses\n') },
  worker: { before: async () => mkdirSync(join(reader.folder, 'inputs')) },
  devnet: { before: async () => writeFileSync(join(apart.folder, 'providers.json'), PROVIDERS) },
  completion: {
    before: async () =>
      mkdirSync(join(reader.env.HOME ?? '', '.config/fish/completions'), { recursive: true }),
  },
};

describe('README.md', () => {
  test('a VM to talk to', async () => {
    expect(await follow('README.md', 'A VM to talk to')).toEqual(
      expect.arrayContaining(['my-vm/rental/1', 'hello']),
    );
    await isOver('my-vm');
  });

  test('the command, line by line', async () => {
    const [block] = blocksOf('README.md').filter(({ heading }) => heading === 'The command');
    // What it begins with are the devnet and Temporal that are there.
    const text = block?.text
      .split('\n')
      .filter((line) => !/^(golem-temporal devnet|temporal server|export) /.test(line));
    expect(text?.length).toBe((block?.text.split('\n').length ?? 0) - 3);
    reader.words.set('TASK', 'task-1');
    reader.words.set('SPEC', 'spec.json');
    write('spec.json', { image: IMAGE, budget: '1' });
    await doneJob('over');
    reader.words.set('ID', 'over');
    const waiting = async (): Promise<void> => {
      if (reader.words.get('ID') === 'running') await isOver('running');
      await start('running', LONG);
      reader.words.set('ID', 'running');
    };
    await followLines(
      block && { ...block, text: text?.join('\n') ?? '' },
      { 'golem-temporal cancel': waiting, 'golem-temporal topup': waiting },
      (line, printed) => {
        if (line.startsWith('golem-temporal rent')) reader.words.set('RENTAL', printed[0] ?? '');
      },
    );
    await Promise.all([endJob('running'), endJob(reader.words.get('RENTAL')?.split('/')[0] ?? '')]);
    reader.words.clear();
  });
});

test.each([...new Set(blocksOf('docs/cli.md').map(({ heading }) => heading))])(
  'docs/cli.md: %s',
  async (name) => {
    const who = name === 'devnet' ? apart : reader;
    await STAGES[name]?.before?.();
    await follow('docs/cli.md', name, who);
    await STAGES[name]?.after?.();
  },
);

describe('docs/offline-requestor.md', () => {
  test('detach, and attach', async () => {
    reader.words.set('ACTIVITY_ID', await rent('my-vm'));
    expect(await follow('docs/offline-requestor.md', 'Detach, and attach')).toContain('hello');
    await endAttached(meant('ACTIVITY_ID'));
  });

  test('who may do what', async () => {
    const [block] = blocksOf('docs/offline-requestor.md').filter(({ text }) => text.includes(' grant '));
    write('spec.json', { image: IMAGE, budget: '1' });
    reader.words.set('KEY_B', (await reader.follow('golem-temporal key b.json'))[0] ?? '');
    let rental = '';
    await followLines(
      block,
      {
        async 'golem-temporal attach'() {
          const told = await reader.follow(`golem-temporal detach ${rental} --key a.json --json`);
          reader.words.set('ACTIVITY_ID', (JSON.parse(told.join('')) as { activityId: string }).activityId);
        },
      },
      (line, [first = '']) => {
        if (line.startsWith('golem-temporal key')) reader.words.set('KEY_A', first);
        if (line.startsWith('golem-temporal rent')) reader.words.set('RENTAL', (rental = first));
      },
    );
    await reader.follow('golem-temporal terminate golem-attach-ACTIVITY_ID --key a.json');
  });
});

test('the other pages', async () => {
  await follow('docs/failures.md');
  await reader.follow('golem-temporal reconcile --remove');
  await follow('docs/payments.md');
  await follow('docs/plugin.md');
  await follow('docs/ui.md');
  await follow('docs/devnet.md', 'A broker');
  await follow('docs/devnet.md', 'Start it', apart);
  await follow('docs/devnet.md', 'Several requestors', apart);
  writeFileSync(join(apart.folder, 'providers.json'), PROVIDERS);
  await follow('docs/devnet-providers.md', undefined, apart);
});

test('every block that is to be run here has been', () => {
  const missed = allPages()
    .flatMap(blocksOf)
    .filter(({ page, line }) => !followed.some((each) => each.page === page && each.line === line));
  expect(missed).toEqual([]);
});
