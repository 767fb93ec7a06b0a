// A day of the owner in the console, by mouse and by keyboard alone, in both languages. The owner finds a caller of
// yesterday within 3 clicks, compares and rolls back two revisions within 6 clicks, and resolves a notice within 3
// clicks.
//
// It reads RINGBOOK_URL, RINGBOOK_ADMIN_KEY and ARTIFACTS, and needs simulated calls (CALLS=60). It prints a line for
// each step, and writes screenshots.

import assert from 'node:assert/strict';
import { RINGBOOK_URL, api, end, everywhere, open, signIn, told } from './console_window.mjs';

const BOOK = '/rulebooks/default';

// Creates two more revisions and a notice that a change beyond the guard rails waits for a second person.
const change = async (comment, price) => {
  const row = await api('GET', `${BOOK}/services/camera_inspection`);
  return api('PATCH', `${BOOK}/services/camera_inspection?comment=${encodeURIComponent(comment)}`, { price_to: price, version: row.version });
};
await change('Winter prices', '420.00');
await change('Back to autumn', '390.00');
const rails = await api('GET', `${BOOK}/guard-rails`);
await api('PUT', `${BOOK}/guard-rails`, { largest_change_percent: '10', version: rails.version });
await change('Much dearer', '900.00');

// Checks the readability of every page.
await everywhere(async ({ page, look }) => {
  await signIn(page);
  for (const [path, name] of [
    ['today', 'today'],
    ['today?day=yesterday', 'today-empty'],
    ['today?q=nobody-has-this-name', 'today-not-found'],
    ['notices', 'notices'],
    ['history', 'history'],
    ['history?from=1&to=head', 'history-compared'],
    ['history/audit', 'audit'],
    ['history/audit?check=yes', 'audit-checked'],
    ['statements', 'statements'],
    [`statements?month=${new Date().toISOString().slice(0, 7)}`, 'statement'],
    ['setup', 'setup'],
  ]) {
    await page.goto(`${RINGBOOK_URL}/console/${path}`);
    await look(name);
  }
});

const place = (path) => `nav li a[href="/console/${path}"]`;
// Clicks a link in the visible navigation.
const visit = async (page, path) => page.locator(place(path)).locator('visible=true').first().click();

for (const locale of ['en-CA', 'fr-CA']) {
  const { context, page, clicks } = await open({ locale });
  await signIn(page);
  clicks();

  // All simulated calls are from today. So the test counts the clicks to yesterday's page, and those from today's page to a
  // caller.
  await visit(page, 'today');
  await page.locator('a[rel=prev]').click();
  await page.waitForURL(/day=/);
  const toYesterday = clicks();
  assert.ok(toYesterday <= 2, `yesterday took ${toYesterday} clicks`);
  await page.goto(`${RINGBOOK_URL}/console/today`);
  const who = page.locator('.diary a.who').first();
  const name = (await who.innerText()).trim();
  clicks();
  await who.click();
  await page.locator('.transcript').waitFor();
  assert.ok((await page.locator('h1').innerText()).includes(name.split('\n')[0]));
  const toCaller = toYesterday + clicks();
  assert.ok(toCaller <= 3, `a caller of yesterday took ${toCaller} clicks`);

  // The search box of the leads finds the same caller by name, over all days.
  await page.goto(`${RINGBOOK_URL}/console`);
  clicks();
  await visit(page, 'leads');
  await page.locator('#q').focus();
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await page.waitForURL(/[?&]q=/);
  await page.locator('a.who').first().click();
  await page.locator('.transcript').waitFor();
  const bySearch = clicks();
  assert.ok(bySearch <= 3, `a search took ${bySearch} clicks`);
  told(`a caller of yesterday is found with ${toCaller} clicks, by name with ${bySearch}, ${locale}`);

  // A search for words of the call.
  await page.goto(`${RINGBOOK_URL}/console/today?q=drain&in=words`);
  assert.ok((await page.locator('.diary li').count()) > 0, 'the search for "drain" found no call');

  // Compares two revisions, and rolls back.
  await page.goto(`${RINGBOOK_URL}/console`);
  clicks();
  await visit(page, 'history');
  const head = await page.locator('.timeline li').count();
  await page.selectOption('#from', '1');
  await page.locator('form.filters button').click();
  await page.waitForURL(/from=1/);
  assert.match(await page.locator('.differs').first().innerText(), /350\.00[^]*3[79]0\.00/);
  await page.locator('.way-back button').click();
  await page.waitForURL(/done=/);
  const back = clicks();
  assert.ok(back <= 6, `comparing and rolling back took ${back} clicks`);
  assert.equal(await page.locator('.timeline li').count(), head + 1);
  told(`two revisions are compared and rolled back with ${back} clicks, ${locale}`);

  // A notice.
  await page.goto(`${RINGBOOK_URL}/console`);
  const waiting = await page.locator('.count').first().innerText();
  clicks();
  await visit(page, 'notices');
  await page.locator('.resolve button').first().click();
  await page.waitForURL(/done=resolved/);
  const done = clicks();
  assert.ok(done <= 3, `a notice took ${done} clicks`);
  assert.equal(await page.locator('article.notice').count(), Number(waiting) - 1);
  told(`a notice is done with ${done} clicks, ${locale}`);
  // Prepares the next window: a change that is live, and a change that waits.
  await change('A little dearer', '370.00');
  await change(`Much dearer again, ${locale}`, '990.00');
  await context.close();
}

// By keyboard alone, without scripts. In two windows, the second person learns who was faster.
{
  const { context, page } = await open({ javaScriptEnabled: false });
  await signIn(page);
  const press = async (selector) => {
    await page.locator(selector).first().focus();
    await page.keyboard.press('Enter');
  };
  await press(place('history'));
  await page.waitForURL(/history$/);
  await press('.timeline a[href*="to=head"]');
  await page.waitForURL(/to=head/);
  await api('PUT', `${BOOK}/guard-rails`, { version: (await api('GET', `${BOOK}/guard-rails`)).version });
  await change('In between', '410.00');
  await page.locator('#comment').focus();
  await page.keyboard.type('Too dear');
  await page.keyboard.press('Enter');
  await page.locator('.stale').waitFor();
  assert.ok((await page.locator('.stale').innerText()).includes('In between'));
  assert.equal(await page.locator('#comment').inputValue(), 'Too dear');
  await press('.way-back button');
  await page.waitForURL(/done=/);
  told('who comes second sees who was faster, keeps the comment, and goes back by keyboard without scripts');
  await press(place('today'));
  await page.waitForURL(/today$/);
  await page.locator('#q').focus();
  await page.keyboard.type('zzz');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=zzz/);
  assert.equal(await page.locator('.diary li').count(), 0);
  told('the day is searched by keyboard without scripts');
  await context.close();
}

await end();
