// Visits pages repeatedly, as people do: again, reloaded, back, in a second tab, and the next day in a browser with its
// cache. A page that is answered with 304 must still have its style and its scripts.
//
// The test reads RINGBOOK_URL, and prints a line for each visit.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const { RINGBOOK_URL } = process.env;
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const profile = await mkdtemp(join(tmpdir(), 'ringbook-profile-'));
const faults = [];
let notModified = 0;

const start = async () => {
  const browser = await chromium.launchPersistentContext(profile, { executablePath, args: ['--no-sandbox'] });
  browser.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  return browser;
};

// Opens a page and counts the responses that the server sent. The page itself would see a cached response as 200.
const opened = async (browser) => {
  const page = await browser.newPage();
  const protocol = await browser.newCDPSession(page);
  await protocol.send('Network.enable');
  protocol.on('Network.responseReceivedExtraInfo', ({ statusCode }) => {
    if (statusCode === 304) notModified += 1;
  });
  return page;
};

// The marks of a complete page: the guide and the operations of /docs, the style of the pages about problems.
const whole = {
  '/docs': async (page) => {
    await page.waitForSelector('.opblock-tag', { timeout: 20_000 });
    assert.match(await page.locator('.info').innerText(), /Authorize/);
  },
  '/problems/stale_version': async (page) => {
    const width = await page.locator('body').evaluate((body) => getComputedStyle(body).maxWidth);
    assert.notEqual(width, 'none', 'the page has no style');
  },
};

const visits = async (browser, day) => {
  for (const [path, look] of Object.entries(whole)) {
    const url = `${RINGBOOK_URL}${path}`;
    const page = await opened(browser);
    for (const [how, go] of [
      ['visited', () => page.goto(url)],
      ['visited again', () => page.goto(url)],
      ['reloaded', () => page.reload()],
      ['gone back to', async () => {
        await page.goto(`${RINGBOOK_URL}/problems`);
        await page.goBack();
      }],
    ]) {
      await go();
      await look(page);
      console.log(`ok  ${day}: ${path} ${how}`);
    }
    const second = await opened(browser);
    await second.goto(url);
    await look(second);
    console.log(`ok  ${day}: ${path} in a second tab`);
    await second.close();
    await page.close();
  }
};

try {
  for (const day of ['the first day', 'the next day']) {
    const browser = await start();
    await visits(browser, day);
    await browser.close();
  }
  assert.ok(notModified > 0, 'no response was a 304, so this test proves nothing');
  assert.deepEqual(faults, []);
} finally {
  await rm(profile, { recursive: true, force: true });
}
