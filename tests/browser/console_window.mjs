// Code that the tests of the console share: a window, signing in, and a readability check for every page.
//
// A window fails the test if a page contacts another host, violates the content policy or throws. The check stores a
// screenshot, and requires that every text has enough contrast, that nothing is wider than the window, and that axe
// finds nothing.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { unreadable } from './readable.mjs';

export const { RINGBOOK_URL, RINGBOOK_ADMIN_KEY, ARTIFACTS } = process.env;
// Maximum height of a screenshot, in pixels.
const MAX_HEIGHT = 1_600;
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const faults = [];

export const told = (text) => console.log(`ok  ${text}`);

// A separate window. `look(name)` checks the page and stores a screenshot; `clicks()` is the number of clicks since its
// last call.
export const open = async ({ width = 1440, colorScheme = 'light', locale = 'en-CA', javaScriptEnabled = true } = {}) => {
  const viewport = { width, height: width < 600 ? 740 : 900 };
  const context = await browser.newContext({ viewport, colorScheme, locale, javaScriptEnabled });
  const page = await context.newPage();
  let pressed = 0;
  await page.exposeFunction('countClick', () => (pressed += 1));
  await page.addInitScript(() => addEventListener('click', (event) => event.isTrusted && event.detail > 0 && countClick(), true));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== RINGBOOK_URL) faults.push(`asked another host: ${request.url()}`);
  });
  page.on('console', (message) => {
    const refused = /^Failed to load resource: .*(status of 4\d\d|ERR_INTERNET_DISCONNECTED)/.test(message.text());
    if (message.type() === 'error' && !refused) faults.push(`in the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`thrown: ${error.stack}`));
  const look = async (name) => {
    const height = await page.evaluate((most) => Math.min(document.documentElement.scrollHeight, most), MAX_HEIGHT);
    const picture = { fullPage: true, clip: { x: 0, y: 0, width, height } };
    await page.screenshot({ path: `${ARTIFACTS}/console-${name}-${colorScheme}-${width}.png`, ...picture });
    const where = `${name}, ${colorScheme}, ${locale}, ${width} pixels`;
    assert.deepEqual(await unreadable(page), [], where);
    await page.evaluate(AXE);
    const found = await page.evaluate(async (values) => {
      const { violations } = await axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} (${failureSummary})`).join('; ')}`);
    }, RULES);
    assert.deepEqual(found, [], `axe: ${where}`);
  };
  const clicks = () => {
    const count = pressed;
    pressed = 0;
    return count;
  };
  return { context, page, look, clicks };
};

export const signIn = async (page, key = RINGBOOK_ADMIN_KEY) => {
  await page.goto(`${RINGBOOK_URL}/console`);
  await page.fill('#key', key);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${RINGBOOK_URL}/console`);
};

// Runs `story({ page, look, … })` in each size, color scheme and language that a page must support.
export const everywhere = async (story) => {
  for (const [colorScheme, locale] of [['light', 'en-CA'], ['dark', 'fr-CA']]) {
    for (const width of [360, 768, 1440]) {
      const window = await open({ width, colorScheme, locale });
      await story({ ...window, width, colorScheme, locale });
      await window.context.close();
      told(`every page, ${colorScheme}, ${locale}, ${width} pixels wide`);
    }
  }
};

// Calls an operation of the admin API, to prepare a test.
export const api = async (method, path, body) => {
  const response = await fetch(`${RINGBOOK_URL}/admin/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${RINGBOOK_ADMIN_KEY}`, 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
};

// Closes the browser and reports the errors. Call this function last.
export const end = async () => {
  await browser.close();
  if (faults.length) throw new Error(faults.join('\n'));
};
