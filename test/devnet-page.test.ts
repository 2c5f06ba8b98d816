/** The devnet's status page, looked at in a browser. */
import type { Page } from 'playwright-core';
import type { Devnet } from '../devnet';
import { CHROMIUM, withPage } from './support/chromium';
import { requireBuild, startCli } from './support/cli';
import { withDevnet, type Requestor } from './support/devnet-requestor';
import { tempDir } from './support/temp-dir';

const folder = tempDir('page');
const MARKUP = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';

const rows = (page: Page, section: string, text: string): ReturnType<Page['locator']> =>
  page.locator(`#${section} tbody tr`, { hasText: text });

const LONG_NAME = `a-provider-${'with_a_name_of_many_letters_'.repeat(6)}`;

/** A VM that has run scripts well and badly, and faults of every sort in the tables. */
async function makeBusy(requestor: Requestor, devnet: Devnet): Promise<{ agreementId: string }> {
  await requestor.allocate('7.123456789');
  const agreementId = await requestor.rent('s', { 'golem.node.debug.subnet': 'long' });
  const activityId = await requestor.createActivity(agreementId);
  const started = [{ deploy: {} }, { start: {} }];
  for (const script of [started, [{ run: { entry_point: '/bin/false', args: [] } }]]) {
    const text = JSON.stringify(script);
    const path = `/activity-api/v1/activity/${activityId}/exec`;
    const batchId = (await requestor.post(path, { text })).json as string;
    await requestor.get(`${path}/${batchId}?timeout=20`);
  }
  devnet.faults.arm({ on: 'createAgreement', do: 'dropAfter', provider: LONG_NAME, nth: 2, times: 3 });
  devnet.faults.arm({ on: '*', do: 'delay', sec: 0.1, times: 0, probability: 0.25, provider: 'one' });
  devnet.links.cut({ node: 'requestor', provider: 'one' });
  return { agreementId };
}

const BUSY = {
  providers: [
    { name: 'one', idleLimitSec: 0.2 },
    { name: LONG_NAME, subnet: 'long' },
  ],
};

describe('the status page', () => {
  const shows = CHROMIUM ? it : it.skip;
  const reason = CHROMIUM ? '' : ' (skipped because this machine has no Chromium)';

  shows(`shows a rental appear and go, and what it cost${reason}`, async () => {
    await withDevnet({ providers: [{ name: 'one' }], paymentCycleSec: 0 }, async (requestor, devnet) => {
      await withPage(async (page) => {
        await page.goto(devnet.adminUrl);
        await rows(page, 'providers', 'one').getByText('free').waitFor();
        await rows(page, 'agreements', 'none').waitFor();

        const allocationId = await requestor.allocate('7');
        const agreementId = await requestor.rent('s', {});
        const activityId = await requestor.createActivity(agreementId);
        await rows(page, 'agreements', agreementId.slice(0, 8)).getByText('Approved').waitFor();
        await rows(page, 'activities', activityId.slice(0, 8)).getByText('Initialized').waitFor();
        await rows(page, 'providers', 'one').getByText('serving').waitFor();
        await rows(page, 'allocations', allocationId.slice(0, 8)).waitFor();
        await rows(page, 'money', 'requestor').getByText('7').waitFor();
        await rows(page, 'effects', 'agreement-approved').getByText('provider one').waitFor();

        devnet.faults.arm({ on: 'getActivityState', do: 'delay', provider: 'one' });
        await rows(page, 'faults', 'getActivityState').getByText('delay').waitFor();
        await requestor.terminate(agreementId);
        await rows(page, 'agreements', 'none').waitFor();
        await rows(page, 'activities', 'none').waitFor();
        devnet.links.freeze('one');
        await rows(page, 'providers', 'one').getByText('frozen').waitFor();
        await devnet.node('requestor').stop();
        await rows(page, 'nodes', 'requestor').getByText('stopped').waitFor();
      });
    });
  });

  shows(`shows a name that is markup as the text that it is${reason}`, async () => {
    await withDevnet({ providers: [{ name: MARKUP }] }, async (requestor, { adminUrl }) => {
      await withPage(async (page) => {
        const complaints: string[] = [];
        page.on('pageerror', (error) => complaints.push(String(error)));
        page.on('console', (message) => complaints.push(message.text()));
        await page.goto(adminUrl);
        await requestor.rent();
        await rows(page, 'agreements', MARKUP).waitFor();
        await rows(page, 'providers', MARKUP).waitFor();
        expect(await page.title()).toBe('Golem devnet');
        expect(await page.locator('img').count()).toBe(0);
        expect(await page.locator('script').count()).toBe(1);
        expect(complaints.filter((text) => !text.includes('favicon') && !text.includes('404'))).toEqual([]);
      });
    });
  });

  shows.each([
    { width: 390, height: 844 },
    { width: 800, height: 900 },
    { width: 1280, height: 900 },
  ])(`has room for all of its columns at a width of $width px${reason}`, async (viewport) => {
    await withDevnet(BUSY, async (requestor, devnet) => {
      await makeBusy(requestor, devnet);
      await withPage(async (page) => {
        await page.setViewportSize(viewport);
        await page.goto(devnet.adminUrl);
        await rows(page, 'effects', 'script-finished').first().waitFor();
        // As the page's DOM has it: this runs there.
        const { pageWidth, sections } = (await page.evaluate(`({
          pageWidth: document.documentElement.scrollWidth,
          sections: [...document.querySelectorAll('section')].map((section) => ({
            id: section.id,
            width: section.getBoundingClientRect().width,
            hidden: section.scrollWidth - section.clientWidth,
          })),
        })`)) as { pageWidth: number; sections: { id: string; width: number; hidden: number }[] };
        expect(pageWidth).toBe(viewport.width);
        expect(sections).toHaveLength(8);
        expect(sections.filter(({ hidden }) => hidden > 0)).toEqual([]);
        const least = viewport.width > 1100 ? viewport.width / 4 : viewport.width - 40;
        expect(sections.filter(({ width }) => width < least)).toEqual([]);
      });
    });
  });

  shows(`tells what went wrong by its colour${reason}`, async () => {
    await withDevnet(BUSY, async (requestor, devnet) => {
      const idle = await requestor.rent();
      await requestor.effect('agreement-terminated');
      const { agreementId } = await makeBusy(requestor, devnet);
      await requestor.terminate(agreementId);
      devnet.links.crash(LONG_NAME);
      await withPage(async (page) => {
        await page.goto(devnet.adminUrl);
        const classOf = async (kind: string, which = ''): Promise<string | null> =>
          await rows(page, 'effects', kind).filter({ hasText: which }).locator('.kind').getAttribute('class');
        expect(await classOf('agreement-approved', agreementId)).toBe('kind good');
        expect(await classOf('script-finished', 'result Ok')).toBe('kind good');
        expect(await classOf('script-finished', 'result Error')).toBe('kind bad');
        expect(await classOf('agreement-terminated', agreementId)).toBe('kind');
        expect(await classOf('agreement-terminated', idle)).toBe('kind bad');
        expect(await classOf('provider-crashed')).toBe('kind bad');
      });
    });
  });

  shows(`lets an id be read as a whole and copied, by keyboard and by touch${reason}`, async () => {
    await withDevnet(BUSY, async (requestor, devnet) => {
      const { agreementId } = await makeBusy(requestor, devnet);
      await withPage(async (page) => {
        await page.goto(devnet.adminUrl);
        const id = rows(page, 'agreements', agreementId).locator('.id');
        const { width } = (await id.boundingBox())!;
        await page.locator('#filter').focus();
        const isSeen = async (): Promise<boolean> =>
          await id.evaluate((span) => span.scrollWidth <= span.clientWidth);
        expect(await isSeen()).toBe(false);
        while (!(await id.evaluate((span) => span.matches(':focus')))) await page.keyboard.press('Tab');
        expect(await isSeen()).toBe(true);
        await page.locator('h1').click();
        expect((await id.boundingBox())!.width).toBe(width);
        await id.click();
        expect(await isSeen()).toBe(true);
        expect(await page.evaluate('getSelection().toString()')).toBe(agreementId);
      });
    });
  });

  shows(`says within seconds that the devnet hangs, and that it goes on${reason}`, async () => {
    requireBuild();
    const devnet = await startCli(['devnet', '--port', '0', '--data', folder]);
    try {
      const url = (await devnet.line(/^devnet page at/)).split(' ').at(-1)!;
      await withPage(async (page) => {
        await page.goto(url);
        await page.locator('#link', { hasText: 'live' }).waitFor();
        process.kill(devnet.pid, 'SIGSTOP');
        await page.locator('#link.lost', { hasText: 'does not answer' }).waitFor();
        process.kill(devnet.pid, 'SIGCONT');
        await page.locator('#link', { hasText: 'live' }).waitFor();
      });
    } finally {
      process.kill(devnet.pid, 'SIGCONT');
      await devnet.stop();
    }
  });

  shows(
    `holds a thousand providers, finds one of them, and rests while nothing happens${reason}`,
    async () => {
      const providers = Array.from({ length: 1000 }, (_, n) => ({ name: `provider ${n}` }));
      await withDevnet({ providers }, async (_requestor, { adminUrl, links }) => {
        await withPage(async (page) => {
          const asked: string[] = [];
          page.on('request', (request) => asked.push(new URL(request.url()).pathname));
          await page.goto(adminUrl);
          await page.locator('#link', { hasText: 'live' }).waitFor();
          await rows(page, 'providers', 'provider 999').waitFor();
          const waiting = asked.length;
          await page.locator('#filter').fill('provider 123');
          expect(await page.locator('#providers tbody tr').count()).toBe(1);
          // The long polls apart nothing is asked until something happens.
          expect(asked.slice(waiting).filter((path) => path !== '/effects')).toEqual([]);
          links.crash('provider 123');
          await rows(page, 'providers', 'provider 123').getByText('crashed').waitFor();
        });
      });
    },
  );
});

describe('what the page is served with', () => {
  it('lets nothing run or load but its own script and style, on loopback only', async () => {
    await withDevnet({ providers: [{ name: 'one' }] }, async (_requestor, { adminUrl }) => {
      const response = await fetch(adminUrl);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      const policy = response.headers.get('content-security-policy');
      expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; /);
      expect(await response.text()).not.toMatch(/https?:\/\//);
      const foreign = await fetch(adminUrl, { headers: { origin: 'https://example.com' } });
      expect(foreign.status).toBe(403);
    });
  });
});
