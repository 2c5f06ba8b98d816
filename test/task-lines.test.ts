/** Files of tasks as activities read them: page by page, from servers that know of ranges and from others. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { TasksPage } from '../activities/contract';
import { scanTaskFile, taskFileActivities } from '../activities/tasks-file';
import { linesOf, type FileLine } from '../activities/web-file';
import { outputLimitOfFile, partUrl, resultJson, RESULTS_JSON } from '../model/task-file';
import { MAX_GROUP_TASKS, MAX_LINE_BYTES } from '../model/task-lines';
import { startWebServer, type WebServer } from './support/web-server';

const logger = new DefaultLogger('ERROR', () => undefined);

let web: WebServer;
/** Knows nothing of ranges, nor of versions. */
let plain: Server;
let plainUrl: string;
let content = Buffer.from('');
beforeAll(async () => {
  web = await startWebServer();
  plain = createServer((_, response) => response.end(content));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  plainUrl = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/tasks`;
});
afterAll(async () => {
  await web.close();
  plain.closeAllConnections();
  await new Promise((resolve) => plain.close(resolve));
});

function serve(text: string): string[] {
  content = Buffer.from(text);
  web.files.set('tasks', content);
  return [web.fileUrl('tasks'), plainUrl];
}

const scan = (from: string, { servesFiles = true } = {}) =>
  scanTaskFile(
    { from, resultsTo: 'http://x/{part}', availableSec: 100 },
    { providers: { max: 5, allow: [], deny: [], select: 'cheapest' } },
    { servesFiles },
    new AbortController().signal,
  );

async function pages(from: string, maxTasks: number, maxJson = 1_000_000): Promise<TasksPage[]> {
  const { taskFile: file } = await scan(from);
  const read: TasksPage[] = [];
  for (let cursor = { offset: 0, line: 1 }; ;) {
    const page = (await new MockActivityEnvironment({}, { logger }).run(taskFileActivities.golemReadTasks, {
      ...{ file, cursor, maxTasks, maxJson },
    })) as TasksPage;
    read.push(page);
    if (page.isEnd) return read;
    ({ cursor } = page);
  }
}

const namesOf = (read: TasksPage[]): string[][] => read.map(({ tasks }) => tasks.map(({ name }) => name));
const line = (name: string, vm?: string): string => `${JSON.stringify({ name, vm, commands: ['é'] })}\n`;

test('files of the worker are refused by their line where it serves none, and taken where it does', async () => {
  const transfer = { transfer: { from: 'files:/in', to: '/golem/in' } };
  const [url = ''] = serve(`"true"\n${JSON.stringify({ commands: [transfer] })}\n`);
  await expect(scan(url, { servesFiles: false })).rejects.toThrow(
    /^tasks line 2: commands\[0\]\.transfer\.from: files:\/in: the worker serves/,
  );
  expect((await scan(url)).taskFile.count).toBe(2);
});

test('pages end between tasks, but never between those of one vm, whatever the server can do', async () => {
  const text = `\uFEFF${line('a')}${line('b', 'v')}${line('c', 'v')}\n${line('d', 'v')}${line('e')}${line('f').trimEnd()}`;
  for (const url of serve(text)) {
    expect(namesOf(await pages(url, 2))).toEqual([
      ['a', 'b', 'c', 'd'],
      ['e', 'f'],
    ]);
    expect(namesOf(await pages(url, 1))).toEqual([['a'], ['b', 'c', 'd'], ['e'], ['f']]);
    expect(namesOf(await pages(url, 100))).toEqual([['a', 'b', 'c', 'd', 'e', 'f']]);
    expect(namesOf(await pages(url, 100, 10))).toEqual([['a'], ['b', 'c', 'd'], ['e'], ['f']]);
  }
});

test('a task without a name is named after its line', async () => {
  for (const url of serve('"true"\n\n"true"\r\n'))
    expect(namesOf(await pages(url, 1))).toEqual([['task-1'], ['task-3']]);
});

test.each([
  ['is another of the same length', (text: string) => text.replace('a', 'z')],
  ['is longer', (text: string) => text + line('z')],
  ['is shorter', () => line('a')],
])('a file that %s is told when it is read', async (_, change) => {
  const text = line('a') + line('b');
  const [url = ''] = serve(text);
  const { taskFile: file } = await scan(url);
  serve(change(text));
  const cursor = { offset: Buffer.from(line('a')).length, line: 2 };
  const reading = new MockActivityEnvironment({}, { logger }).run(taskFileActivities.golemReadTasks, {
    ...{ file, cursor, maxTasks: 1, maxJson: 1000 },
  });
  await expect(reading).rejects.toMatchObject({ type: 'TasksChanged', nonRetryable: true });
});

test('too long a line, too large a group and an empty file are mistakes', async () => {
  const refusal = async (text: string): Promise<string> =>
    await scan(serve(text)[0] ?? '').then(
      () => 'none',
      (error: Error) => error.message,
    );
  expect(await refusal(`"${'x'.repeat(MAX_LINE_BYTES)}"\n`)).toMatch(/^tasks line 1: is longer than/);
  const group = Array.from({ length: MAX_GROUP_TASKS + 2 }, (_, i) => line(`t${i}`, 'v')).join('');
  expect(await refusal(group)).toBe(
    'tasks line 501: vm: "v" has too many tasks; at most 500, of 200000 bytes, go into one',
  );
  expect(await refusal('\n \n')).toMatch(/^tasks\.from: http.*\/files\/tasks has no tasks/);
});

test('lines are found wherever the chunks part them', async () => {
  const bytes = Buffer.from('é\nbb\n\nccc');
  for (let size = 1; size <= bytes.length; size++) {
    const lines: FileLine[] = [];
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    for await (const each of linesOf(chunks(), { offset: 0, line: 1 }, 3)) lines.push(each);
    expect(lines.map(({ text, end }) => [text, end])).toEqual([
      ['é', 3],
      ['bb', 6],
      ['', 7],
      ['ccc', 10],
    ]);
  }
});

test.each([
  [1, 1],
  [50, 1],
  [100, 5],
])('with %d rentals and %d commands a task, all may run at once', (rentals, commands) => {
  const limit = outputLimitOfFile(rentals, commands);
  const task = { commands: Array.from({ length: commands }, () => ({ run: 'x' })) };
  if (limit > 512) expect(rentals * resultJson(task, limit)).toBeLessThanOrEqual(RESULTS_JSON / 2);
  expect(limit).toBeGreaterThanOrEqual(512);
});

test('parts are numbered where the URL says', () => {
  expect(partUrl('https://x/{part}.jsonl?n={part}', 7)).toBe('https://x/00007.jsonl?n=00007');
});
