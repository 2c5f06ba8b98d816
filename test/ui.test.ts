/** `golem-temporal ui`: the page of jobs, looked at in a browser beside real jobs, and who is let in. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import type { Page } from 'playwright-core';
import { ControlSigner, GolemClient, NoAnswerError } from '../client';
import type { JobProgress } from '../model/result';
import { startUiServer, type UiServer } from '../ui';
import { JobSource } from '../ui/job-source';
import { LiveSource, type Viewer } from '../ui/live';
import { CHROMIUM, withPage } from './support/chromium';
import { runCli, startCli } from './support/cli';
import { openTemporal, temporalAddress, type TestTemporal } from './support/temporal';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

const MARKUP = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';
const BASE = {
  image: 'golem/alpine:latest',
  budget: '1',
  providers: { max: 2 },
  demand: { offerFetchingIntervalSec: 1 },
};

/** Between the page's server and Temporal: cut, it is as if Temporal was dead. */
class Wire {
  private readonly sockets = new Set<Socket>();
  private isCut = false;
  private readonly server: Server = createServer((near) => {
    if (this.isCut) return void near.destroy();
    const [host, port] = temporalAddress().split(':');
    const far = connect(Number(port), host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => this.sockets.delete(one));
    }
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

let world: World;
let web: WebServer;
let ui: UiServer;
let connection: Connection;
const wire = new Wire();

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    devnet: { providers: [{ name: MARKUP }, { name: 'plain' }], paymentCycleSec: 0 },
  });
  const channelArgs = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 1_000 };
  connection = await Connection.connect({ address: await wire.start(), channelArgs });
  const golem = new GolemClient({
    client: new Client({ connection }),
    taskQueue: world.taskQueue,
    answerLimitMs: 2000,
  });
  ui = await startUiServer({ golem, temporalUi: 'http://temporal.example/', lingerMs: 0 });
});
afterAll(async () => {
  await ui?.close();
  await connection?.close();
  await wire.close();
  await world?.close();
  await web?.close();
});

const shows = CHROMIUM ? it : it.skip;
const reason = CHROMIUM ? '' : ' (skipped because this machine has no Chromium)';

const open = (page: Page, jobId: string): Promise<unknown> =>
  page.goto(`${ui.url}/?job=${encodeURIComponent(jobId)}`);
const figure = (page: Page, text: string | RegExp): Promise<void> =>
  page.locator('.figure', { hasText: text }).waitFor({ timeout: 40_000 });

/** A task that waits at a door, and what opens it. */
function gated(): { task: object; knocked: Promise<void>; open(): void } {
  const door = web.door();
  const commands = [
    { transfer: { from: door.url, to: '/golem/work/x' } },
    `printf '%s' '${MARKUP.replaceAll("'", `'\\''`)}'`,
  ];
  return { task: { name: MARKUP, commands }, knocked: door.knocked, open: door.open };
}

describe('a job in the browser', () => {
  shows(
    `is seen from its first script to its last payment, and topped up by keyboard alone${reason}`,
    async () => {
      const gate = gated();
      const { jobId } = await world.golem.startJob({ ...BASE, tasks: [gate.task, 'echo hello'] });
      await withPage(async (page) => {
        const [complaints, hosts]: [string[], Set<string>] = [[], new Set()];
        page.on('pageerror', (error) => complaints.push(String(error)));
        page.on('console', (message) => complaints.push(message.text()));
        page.on('request', (each) => hosts.add(new URL(each.url()).host));
        await page.goto(ui.url);
        await page.locator('tbody a', { hasText: jobId }).click();
        await page.locator('rect.script.open').first().waitFor({ state: 'attached', timeout: 40_000 });
        await figure(page, /1 of 2/);

        await page.keyboard.press('Tab');
        const tabTo = async (text: string): Promise<void> => {
          for (let i = 0; i < 40; i++) {
            if ((await page.evaluate<string>('document.activeElement.textContent')) === text) return;
            await page.keyboard.press('Tab');
          }
          throw new Error(`no Tab leads to ${text}`);
        };
        await tabTo('Cancel…');
        await page.keyboard.press('Enter');
        await page.getByRole('dialog', { name: 'Cancel this job?' }).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'hidden' });
        expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel…');
        await page.keyboard.press('Shift+Tab');
        await page.keyboard.press('Shift+Tab');
        await tabTo('Top up…');
        await page.keyboard.press('Enter');
        await page.keyboard.type('0.5');
        await page.keyboard.press('Enter');
        await page.getByText('The budget is 1.5 GLM now').waitFor();
        await page.keyboard.press('Escape');
        await figure(page, 'of 1.5 tGLM');

        // By its name: a provider is called so, too, and which tasks it runs is for the job to say.
        const name = page.locator('.task .name', { hasText: MARKUP });
        const task = page.locator('#tasks tr').filter({ has: name });
        await task.locator('summary').focus();
        await page.keyboard.press('Enter');
        await task.getByText('no command of it has ended yet').waitFor();
        gate.open();
        // What was opened stays so while its row changes, and the focus where it was.
        await task.locator('pre', { hasText: MARKUP }).waitFor({ timeout: 40_000 });
        expect(await page.evaluate('document.activeElement.textContent')).toBe('output');
        await figure(page, 'all paid');
        await page.locator('.title .badge', { hasText: 'done' }).waitFor();
        await page.locator('rect.settling').first().waitFor({ state: 'attached' });
        // Which of the providers it ran on is for the job to say.
        const script = page.locator('li', { hasText: `script ${MARKUP}` });
        const lane = page.locator('.lane').filter({ has: script });
        await lane.locator('summary').click();
        await lane.locator(script).first().waitFor();
        await task.locator('pre', { hasText: MARKUP }).waitFor();
        const hired = page.locator('.provider').first();
        await hired.locator('summary').click();
        await hired.getByText(/an hour of a CPU thread/).waitFor();
        await hired.locator('td', { hasText: 'rental' }).waitFor();
        await page
          .locator('#debit-notes-and-payments tr', { hasText: 'invoice' })
          .getByText('paid')
          .first()
          .waitFor();
        await page.locator('.events li', { hasText: 'AllocationReleased' }).waitFor();
        await page.getByRole('searchbox').fill('AllocationCreated');
        await page.locator('.events li', { hasText: 'AllocationReleased' }).waitFor({ state: 'detached' });
        expect(await page.locator('.events li').allTextContents()).toEqual([
          expect.stringContaining('AllocationCreated'),
        ]);
        expect(await page.getByRole('link', { name: 'settlement' }).getAttribute('href')).toBe(
          `http://temporal.example/namespaces/default/workflows/${jobId}%2Fsettlement`,
        );

        expect(await page.title()).toBe(`${jobId} · Golem jobs`);
        expect(await page.locator('main img, main script').count()).toBe(0);
        expect([...hosts]).toEqual([new URL(ui.url).host]);
        expect(complaints).toEqual([]);

        for (const scheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme: scheme });
          expect(await lowContrasts(page)).toEqual([]);
        }
        for (const path of [`/?job=${encodeURIComponent(jobId)}`, '/']) {
          await page.setViewportSize({ width: 375, height: 800 });
          await page.goto(`${ui.url}${path}`);
          await page
            .locator(path === '/' ? 'tbody tr' : '.figure')
            .first()
            .waitFor();
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
        }
      });
    },
  );

  shows(`is cancelled after a question, and a closed one says what to run${reason}`, async () => {
    const gate = gated();
    const signer = await ControlSigner.generate();
    const [{ jobId }, closed] = await Promise.all([
      world.golem.startJob({ ...BASE, tasks: [gate.task] }),
      world.golem.startJob({ ...BASE, tasks: [], interactive: true, control: { owner: signer.key } }),
    ]);
    await gate.knocked;
    await withPage(async (page) => {
      await open(page, closed.jobId);
      await page.getByRole('button', { name: 'Terminate…' }).click();
      await page.getByRole('button', { name: 'End it' }).click();
      await page.getByText(`golem-temporal terminate ${closed.jobId} --key FILE`).waitFor();
      await page.getByRole('button', { name: 'Close' }).click();
      expect((await world.golem.whereabouts(closed.jobId)).running).toBe(true);
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('button', { name: 'Cancel the job' }).click();
      await page.getByText('Asked to end').waitFor();
      await open(page, jobId);
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('button', { name: 'Back' }).click();
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('button', { name: 'Cancel the job' }).click();
      await page.locator('.title .badge', { hasText: 'cancelled' }).waitFor({ timeout: 40_000 });
      await page.getByRole('button', { name: 'Cancel…' }).waitFor({ state: 'hidden' });
    });
    gate.open();
  });

  shows(
    `says that Temporal, the workers or the job are not there, and goes on by itself${reason}`,
    async () => {
      const gate = gated();
      const { jobId } = await world.golem.startJob({ ...BASE, tasks: [gate.task] });
      await gate.knocked;
      await withPage(async (page) => {
        const says = (text: string): ReturnType<Page['locator']> =>
          page.getByRole('alert').filter({ hasText: text });
        await open(page, 'no-such-job');
        await says('there is no job no-such-job').waitFor();
        await open(page, jobId);
        await figure(page, /^Tasks\s*0 of 1/);
        await world.worker.stop();
        await says('No worker answers').waitFor({ timeout: 40_000 });
        // What was known stays to be seen.
        await figure(page, /^Tasks\s*0 of 1/);
        wire.cut();
        await says('Temporal does not answer').waitFor({ timeout: 40_000 });
        await world.startWorker();
        wire.mend();
        await says('does not answer').waitFor({ state: 'hidden', timeout: 40_000 });
        await says('No worker answers').waitFor({ state: 'hidden', timeout: 40_000 });
        gate.open();
        await figure(page, 'all paid');
      });
    },
  );

  shows(`stays quick with very many providers, scripts and events${reason}`, async () => {
    await withPage(async (page) => {
      await page.route('**/api/job?*', (route) =>
        route.fulfill({ contentType: 'text/event-stream', body: manyParts() }),
      );
      await open(page, 'many');
      await page.locator('.lane').nth(11).waitFor();
      expect(await page.locator('.lane').count()).toBe(12);
      await page.getByRole('button', { name: 'Show more providers' }).click();
      await page.locator('.lane').nth(59).waitFor();
      expect(await page.locator('#tasks tbody tr').count()).toBe(20);
      await page.getByText('9,980 tasks beyond these').waitFor();
    });
  });
});

/** What the server tells of a job of 10,000 tasks on 100 providers, each with all that a lane may have. */
function manyParts(): string {
  const from = Date.now() - 3_600_000;
  const money = { budget: '100', reserved: '100', accepted: '3', paid: '2', platform: 'erc20-holesky-tglm' };
  const counts = { total: 10_000, waiting: 5000, running: 100, done: 4900, failed: 0 };
  const progress = {
    ...{ jobId: 'many', phase: 'running', tasks: counts, money, alive: 100, spent: '3.1' },
    ...{
      cost: { at: new Date().toISOString(), accrued: '0.1', perHour: '1' },
      startedAt: new Date(from).toISOString(),
    },
  };
  const segments = Array.from({ length: 480 }, (_, i) => {
    const at = from + i * 7000;
    return { kind: i % 2 ? 'idle' : 'scripts', from: at, to: at + 7000, count: 20, failed: 0 };
  });
  const lane = (n: number): object => ({
    ...{ provider: { id: `0x${n}`, name: `provider-${n}` }, agreements: 1, rows: [segments], marks: [] },
  });
  const shown = Array.from({ length: 20 }, (_, i) => ({ name: `task-${i}`, state: 'running', attempts: 1 }));
  const parts: [string, unknown][] = [
    ['summary', { jobId: 'many', isRunning: true, isOver: false, isKnown: true, missing: 0, progress }],
    ['timeline', { from, to: Date.now(), lanes: 100, more: 900 }],
    ...Array.from({ length: 100 }, (_, n): [string, unknown] => [`lane ${n}`, lane(n)]),
    ['cost', { steps: [], samples: [] }],
    ['tasks', { from: 'events', counts, shown, all: 20 }],
  ];
  const told = parts.map(([part, value]) => `event: part\ndata: ${JSON.stringify({ part, value })}\n\n`);
  return `event: clock\ndata: ${Date.now()}\n\n${told.join('')}`;
}

/** Texts whose colour stands out from their ground less than WCAG's AA asks for. */
async function lowContrasts(page: Page): Promise<string[]> {
  return (await page.evaluate(`(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgb = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const groundOf = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const ground = rgb(getComputedStyle(at).backgroundColor);
        if (ground[3] === 255) return ground;
      }
      return [255, 255, 255, 255];
    };
    const low = new Set();
    for (const element of document.querySelectorAll('body *')) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
      if (!hasText || element.closest('svg') || !element.checkVisibility()) continue;
      const [a, b] = [light(rgb(getComputedStyle(element).color)), light(groundOf(element))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5) low.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2));
    }
    return [...low];
  })()`)) as string[];
}

shows(`an empty namespace says how a job is started${reason}`, async () => {
  const temporal: TestTemporal = await openTemporal();
  const server = await startUiServer({ golem: new GolemClient({ client: temporal.client }), lingerMs: 0 });
  try {
    await withPage(async (page) => {
      await page.goto(server.url);
      await page.getByText('golem-temporal start job.json').waitFor();
      expect(await page.getByRole('link', { name: 'Temporal UI' }).count()).toBe(0);
    });
  } finally {
    await server.close();
    await temporal.close();
  }
});

/** As a browser, or somebody else, would ask; `fetch` takes no Host of others. */
function ask(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; text: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const CANCEL = { method: 'POST', body: JSON.stringify({ id: 'no-such-job' }) };

describe('who is let in', () => {
  test('on loopback: who asks for this machine, and actions of no other page', async () => {
    const page = await ask(ui.url);
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'self'; /);
    expect(page.text).not.toMatch(/https?:\/\//);
    expect((await ask(ui.url, { headers: { host: 'evil.example' } })).status).toBe(403);
    const foreign = { ...JSON_TYPE, origin: 'http://evil.example' };
    expect((await ask(`${ui.url}/api/job/cancel`, { ...CANCEL, headers: foreign })).status).toBe(403);
    const beside = { ...JSON_TYPE, origin: 'http://127.0.0.1:1' };
    expect((await ask(`${ui.url}/api/job/cancel`, { ...CANCEL, headers: beside })).status).toBe(403);
    const crossSite = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    expect((await ask(`${ui.url}/api/jobs`, { headers: crossSite })).status).toBe(403);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect(
        (await ask(`${ui.url}/api/job/cancel`, { ...CANCEL, headers: { 'content-type': type } })).status,
      ).toBe(415);
    const own = await ask(`${ui.url}/api/job/cancel`, {
      ...CANCEL,
      headers: { ...JSON_TYPE, origin: ui.url },
    });
    expect(own).toMatchObject({
      status: 200,
      text: expect.stringContaining('there is no job no-such-job') as string,
    });
    const bad = await ask(`${ui.url}/api/job/top-up`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{"id":"x","amount":"-1"}',
    });
    expect(bad).toMatchObject({
      status: 400,
      text: expect.stringContaining('amount: give GLM such as 0.5') as string,
    });
  });

  test('elsewhere: who has the token, which no script of a page can read', async () => {
    const { golem } = world;
    await expect(startUiServer({ golem, host: '0.0.0.0' })).rejects.toThrow('a token is needed');
    const token = 'a-token-of-this-test';
    const server = await startUiServer({ golem, host: '0.0.0.0', token });
    try {
      const url = server.url.replace('0.0.0.0', '127.0.0.1');
      const html = { accept: 'text/html' };
      expect(await ask(url, { headers: html })).toMatchObject({
        status: 401,
        text: expect.stringContaining('name="token"') as string,
      });
      for (const path of ['/api/jobs', '/api/about', '/page/main.js', '/?token=another'])
        expect((await ask(`${url}${path}`)).status).toBe(401);
      expect((await ask(`${url}/api/job/cancel`, { ...CANCEL, headers: JSON_TYPE })).status).toBe(401);
      expect((await ask(`${url}//evil.example/?token=${token}`)).headers.location).toBe('/');
      const first = await ask(`${url}/?job=x&token=${token}`, { headers: html });
      expect(first).toMatchObject({ status: 303, headers: { location: '/?job=x' } });
      const [cookie = ''] = [first.headers['set-cookie']].flat();
      expect(cookie).toMatch(/^golem_ui_\d+=a-token-of-this-test; HttpOnly; SameSite=Strict; Path=\/$/);
      const kept = { cookie: `other=1; ${cookie.split(';')[0]}` };
      expect((await ask(`${url}/api/about`, { headers: kept })).status).toBe(200);
      expect((await ask(`${url}/api/about`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(
        200,
      );
      expect((await ask(`${url}/api/about`, { headers: { cookie: 'golem_ui_1=%' } })).status).toBe(401);
      const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
      expect((await ask(`${url}/sign-in`, { ...form, body: 'token=wrong' })).status).toBe(401);
      expect((await ask(`${url}/sign-in`, { ...form, body: `token=${token}` })).status).toBe(303);
    } finally {
      await server.close();
    }
  });
});

describe('what is read', () => {
  class Read extends LiveSource {
    readonly readings: AbortSignal[] = [];

    protected async read(signal: AbortSignal): Promise<void> {
      this.readings.push(signal);
    }

    override tell(part: string, value: unknown): void {
      super.tell(part, value);
    }
  }

  test('is read once for all that look on, and no more once the last of them has left', async () => {
    const source = new Read(0);
    const told: string[] = [];
    const viewer = (name: string): Viewer => ({
      tell: (part, json) => void told.push(`${name} ${part} ${json}`),
    });
    const leave = [source.watch(viewer('one'))];
    source.tell('a', 1);
    source.tell('a', 1);
    leave.push(source.watch(viewer('two')));
    source.tell('b', 2);
    expect(told).toEqual(['one a 1', 'two a 1', 'one b 2', 'two b 2']);
    expect(source.readings).toHaveLength(1);
    const [signal] = source.readings;
    const ended = new Promise((resolve) => signal?.addEventListener('abort', resolve));
    leave[0]?.();
    expect(signal?.aborted).toBe(false);
    leave[1]?.();
    await ended;
    source.watch(viewer('three'));
    expect(source.readings).toHaveLength(2);
    // What was read before may not be so any more.
    expect(told).toHaveLength(4);
    source.end();
  });

  /** Workers do not tell it how far a job is while it is shy. */
  class Shy extends GolemClient {
    isShy = false;

    override async progress(jobId: string): Promise<JobProgress> {
      const progress = await super.progress(jobId);
      // Also what was on its way.
      if (this.isShy) throw new NoAnswerError(jobId);
      return progress;
    }
  }

  test('is read to the end, though the last question was not answered before all was paid', async () => {
    const golem = new Shy({ client: world.client, taskQueue: world.taskQueue });
    const gate = gated();
    const { jobId } = await golem.startJob({ ...BASE, tasks: [gate.task] });
    const source = new JobSource(golem, jobId, 0);
    const summaries = new EventTarget();
    let summary: { settlement?: string; progress?: JobProgress } = {};
    const leave = source.watch({
      tell: (part, json) => {
        if (part !== 'summary') return;
        summary = JSON.parse(json) as typeof summary;
        summaries.dispatchEvent(new Event('summary'));
      },
    });
    const told = async (isMeant: () => boolean): Promise<void> => {
      while (!isMeant()) await once(summaries, 'summary');
    };
    try {
      await gate.knocked;
      await told(() => summary.progress?.phase === 'running');
      golem.isShy = true;
      gate.open();
      await told(() => summary.settlement === 'settled');
      expect(summary.progress?.phase).toBe('running');
      golem.isShy = false;
      await told(() => summary.progress?.phase === 'done');
    } finally {
      leave();
    }
  });

  test('is not read for a question alone: a page must be open', async () => {
    expect(await ask(`${ui.url}/api/job/tasks?id=x`)).toMatchObject({
      ...{ status: 409, text: expect.stringContaining('no page of that job is open') as string },
    });
  });
});

describe('the command', () => {
  test('serves the page, Temporal there or not, until it is told to stop', async () => {
    const page = await startCli(['ui', '--listen', '127.0.0.1:0'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const url = (await page.line(/^page at/)).split(' ').at(-1)!;
    expect((await ask(url)).status).toBe(200);
    expect(await page.stop()).toEqual({ code: 0, signal: null });
  });

  test('makes a token where it is not on this machine alone, and tells it once', async () => {
    const page = await startCli(['ui', '--listen', '0.0.0.0:0'], { TEMPORAL_ADDRESS: temporalAddress() });
    const [, port, token] = /:(\d+)\/\?token=([\w-]{32})$/.exec(await page.line(/^page at/)) ?? [];
    const url = `http://127.0.0.1:${port}/api/about`;
    expect((await ask(url)).status).toBe(401);
    expect((await ask(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    await page.stop();
  });

  test.each([
    ['--listen nowhere', {}, 'give host and port'],
    ['--listen 192.0.2.1:0', {}, 'no address of this machine'],
    ['--temporal-ui temporal', {}, 'give an http(s) URL'],
    ['--listen 127.0.0.1:0', { GOLEM_UI_TOKEN: 'short' }, 'short enough to be guessed'],
  ])('%s ends with 2 and a line that says why', async (args, env, why) => {
    const run = await runCli(['ui', ...args.split(' ')], { env });
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(why) as string });
    expect(run.stderr).not.toMatch(/\n\s+at /);
  });
});
