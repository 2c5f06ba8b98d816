/** The devnet's status page, looked at in a browser. */
import type { Page } from 'playwright-core';
import { CHROMIUM, withPage } from './support/chromium';
import { withDevnet } from './support/devnet-requestor';

const MARKUP = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';

const rows = (page: Page, section: string, text: string): ReturnType<Page['locator']> =>
  page.locator(`#${section} tbody tr`, { hasText: text });

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
          // The one long poll apart nothing is asked until something happens.
          expect(asked.length).toBeLessThanOrEqual(waiting + 1);
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
