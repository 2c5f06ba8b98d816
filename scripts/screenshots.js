/**
 * The pictures of the page and of `watch` in docs/: `node scripts/screenshots.js`, after a build. A Temporal server, a devnet,
 * a worker and a real job; what is seen is what is shown of it, while it runs and in the end. It takes about a minute.
 */
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { ROOT } = require('./checkout');

const DOCS = path.join(ROOT, 'docs');
const CLI = path.join(ROOT, 'dist', 'cli', 'main.js');
/** Of the terminal in which `watch` runs. */
const COLUMNS = 100;
const ROWS = 9;
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

const frame = (n) => ({
  name: `frame-${String(n).padStart(2, '0')}`,
  commands: [`sleep ${(1 + (n % 5) * 0.6).toFixed(1)}`, `echo rendered ${n}`],
});
const SPEC = {
  image: 'golem/alpine:latest',
  budget: '0.05',
  demand: { expirationSec: 3600, midAgreementDebitNoteIntervalSec: 2, debitNotesAcceptanceTimeoutSec: 60 },
  providers: { max: 4 },
  setup: ['sleep 0.5'],
  tasks: [
    ...Array.from({ length: 22 }, (_, i) => frame(i + 1)),
    { name: 'broken-frame', commands: ['sleep 1', 'echo no such scene >&2; exit 3'], maxAttempts: 2 },
  ],
};

async function main() {
  const executablePath = (process.env.PATH ?? '')
    .split(path.delimiter)
    .flatMap((folder) => NAMES.map((name) => path.join(folder, name)))
    .find((file) => fs.existsSync(file));
  if (!executablePath) throw new Error('there is no Chromium on PATH');
  const { startTemporalServer } = require('../dist/cli/temporal-server.js');
  const { startChild, stopAllChildren } = require('../dist/cli/child-process.js');
  const { startDevnet } = require('../dist/devnet/index.js');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'golem-temporal-pictures-'));
  const temporal = await startTemporalServer({ ui: true });
  const devnet = await startDevnet();
  const env = {
    ...process.env,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_UI_URL: 'http://localhost:8233',
    YAGNA_API_URL: devnet.url,
    YAGNA_APPKEY: devnet.appKey,
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  };
  const child = (...args) => startChild(process.execPath, [CLI, ...args], { env });
  try {
    const worker = await child('worker');
    await worker.line(/^worker ready/);
    const ui = await child('ui', '--listen', '127.0.0.1:0');
    const url = (await ui.line(/^page at/)).split(' ').at(-1);
    const browser = await chromium.launchPersistentContext(path.join(folder, 'profile'), {
      executablePath,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
    });
    try {
      const start = async (id, spec) => {
        const file = path.join(folder, `${id}.json`);
        fs.writeFileSync(file, JSON.stringify(spec));
        await (await child('start', file, '--id', id)).line(new RegExp(`^${id}$`));
      };
      await play(browser, url, start, (id) => watchOnTerminal(id, env));
    } finally {
      await browser.close();
    }
  } finally {
    await stopAllChildren();
    await devnet.close();
    await temporal.close();
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** `watch` as it is on a terminal. @returns what has been written to it so far */
function watchOnTerminal(id, env) {
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec '${process.execPath}' '${CLI}' watch ${id}`;
  const watching = spawn('script', ['-qfec', command, '/dev/null'], {
    env: { ...env, TERM: 'xterm-256color', FORCE_COLOR: '1' },
  });
  let written = `$ golem-temporal watch ${id}\r\n`;
  watching.stdout.on('data', (chunk) => (written += chunk));
  return { written: () => written, end: () => watching.kill('SIGINT') };
}

/** What a terminal shows of it. */
async function terminalShot(browser, written, name) {
  const page = await browser.newPage();
  await page.setContent(
    '<body style="margin: 0; background: #10151f"><div id="screen" style="padding: 14px; width: max-content">',
  );
  const xterm = path.join(ROOT, 'node_modules', '@xterm', 'xterm');
  await page.addStyleTag({ path: path.join(xterm, 'css', 'xterm.css') });
  await page.addScriptTag({ path: path.join(xterm, 'lib', 'xterm.js') });
  await page.evaluate(
    async ([data, cols, rows]) => {
      const theme = { background: '#10151f', foreground: '#d6deeb', cursor: '#10151f' };
      const terminal = new globalThis.Terminal({ cols, rows, theme, fontFamily: 'monospace', fontSize: 14 });
      terminal.open(globalThis.document.getElementById('screen'));
      await new Promise((resolve) => terminal.write(data, resolve));
    },
    [written, COLUMNS, ROWS],
  );
  // It paints in the next frame.
  await page.evaluate(
    () => new Promise((resolve) => globalThis.requestAnimationFrame(() => setTimeout(resolve, 200))),
  );
  await page.locator('#screen').screenshot({ path: path.join(DOCS, name) });
  console.log(`docs/${name}`);
  await page.close();
}

async function play(browser, url, start, watch) {
  const page = browser.pages()[0] ?? (await browser.newPage());
  const shot = async (name, { width, height, dark = false, whole = false }) => {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    await page.setViewportSize({ width, height });
    await page.waitForFunction('document.fonts.ready');
    await page.screenshot({ path: path.join(DOCS, name), fullPage: whole });
    console.log(`docs/${name}`);
  };
  const job = (id) => `${url}/?job=${id}`;
  await start('warm-up', { ...SPEC, tasks: ['echo hello', 'echo world'] });
  await page.goto(job('warm-up'));
  await page.locator('.title .badge', { hasText: 'done' }).waitFor({ timeout: 60_000 });
  await start('night-render', SPEC);
  const watching = watch('night-render');
  await page.goto(job('night-render'));
  await page.locator('.figure', { hasText: /(1[1-9]|2\d) of 23/ }).waitFor({ timeout: 60_000 });
  await terminalShot(browser, watching.written(), 'watch.png');
  watching.end();
  await shot('ui-job.png', { width: 1280, height: 1000 });
  await shot('ui-job-dark.png', { width: 1280, height: 1000, dark: true });
  await page.goto(url);
  await page.locator('td', { hasText: 'of 23' }).waitFor();
  await shot('ui-jobs.png', { width: 1280, height: 420 });
  await page.goto(job('night-render'));
  await page.locator('.figure', { hasText: 'all paid' }).waitFor({ timeout: 60_000 });
  await shot('ui-phone.png', { width: 375, height: 812, dark: false });
  if (process.argv.includes('--whole')) {
    await page.locator('.provider > summary').first().click();
    await page.locator('.lane > summary').first().click();
    await page.locator('.task summary').first().click();
    for (const dark of [false, true])
      for (const width of [375, 1280])
        await shot(`whole-${width}${dark ? '-dark' : ''}.png`, { width, height: 900, dark, whole: true });
    await page.goto(url);
    await page.locator('td', { hasText: 'of 23' }).waitFor();
    await shot('whole-jobs-375.png', { width: 375, height: 812, dark: true });
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
