// The page "Who is on" of the console. The test names a holiday in at most 4 clicks from the board and swaps two
// shifts in at most 5 clicks. It also deletes an override and creates a calendar feed. It runs by mouse and by
// keyboard, in both languages, and without scripts.
//
// It reads RINGBOOK_URL, RINGBOOK_ADMIN_KEY and ARTIFACTS. It prints a line for each step, and writes screenshots.

import assert from 'node:assert/strict';
import { RINGBOOK_URL, api, end, everywhere, open, signIn, told } from './console_window.mjs';

const PAGE = `${RINGBOOK_URL}/console/on-call`;
const BOOK = '/rulebooks/default';
const MAX_HOLIDAY_CLICKS = 4;
const MAX_SWAP_CLICKS = 5;

const change = async (path, fields) => {
  const row = await api('GET', `${BOOK}${path}`);
  await api('PATCH', `${BOOK}${path}`, { ...fields, version: row.version ?? row.revision });
};
const overrides = async () => (await api('GET', `${BOOK}/shift-overrides`)).items;

// Two people alternate weekly, and a third has the nights of weekdays. So the test knows the month's shifts at any
// time.
await change('', { rotation_from: '2026-11-23T08:00' });
const nights = Object.fromEntries(['monday', 'tuesday', 'wednesday', 'thursday'].map((day) => [day, ['17:00-08:00']]));
await api('PUT', `${BOOK}/calendars/nights`, { open: nights, evening_from: '18:00', evening_until: '22:00', weekend: [] });
await change('/contacts/on_call', { rotation_week: 1, rotation_of: 3 });
await change('/contacts/second', { on_call: true, rotation_week: 2, rotation_of: 3 });
await api('PUT', `${BOOK}/contacts/amina`, {
  name: 'Amina Khelladi-Beauregard', phone: '+15145550103', language: 'fr', rank: 30, on_call: true, on_call_calendar: 'nights',
});
await api('PUT', `${BOOK}/shift-overrides/new_year`, {
  contact: 'second', instead_of: 'on_call', from: '2030-12-31T17:00', until: '2031-01-02T08:00', comment: 'Mario is away',
});

// Checks readability: with gaps and a holiday, with a day, with a chosen shift, with invalid input.
await everywhere(async ({ page, look }) => {
  await signIn(page);
  await page.goto(PAGE);
  await look('on-call');
  await page.goto(`${PAGE}?month=2030-12&day=2030-12-25`);
  assert.ok((await page.locator('.month .gap').count()) > 3, 'gaps are shown');
  await look('on-call-day');
  await page.goto(`${PAGE}?month=2030-12`);
  await page.locator('.month td:not(.out) li:not(.gap) a').first().click();
  await page.locator('.choosing').waitFor();
  await look('on-call-chosen');
  await page.fill('#replace-until', '2020-01-01T00:00');
  await page.selectOption('#replace-contact', { index: 1 });
  await page.locator('form[action*="/replace"] button').click();
  await page.locator('#change .fault').first().waitFor();
  await look('on-call-fault');
});

// By mouse, from the board.
for (const [locale, next, name] of [['en-CA', 'Next month', 'Inventory'], ['fr-CA', 'Mois suivant', 'Inventaire']]) {
  const { context, page, clicks } = await open({ locale });
  await signIn(page);
  clicks();
  await page.click('nav a[href="/console/on-call"]');
  await page.locator('.month .today .date a').click();
  await page.fill('#holiday-name', name);
  await page.locator('form[action$="/holiday?month=' + (await month(page)) + '"] button').click();
  await page.locator('.outcome').waitFor();
  const holiday = clicks();
  assert.ok(holiday <= MAX_HOLIDAY_CLICKS, `a holiday took ${holiday} clicks`);
  assert.ok((await page.locator('.month .today .holiday').innerText()).includes(name));
  told(`a holiday takes ${holiday} clicks, ${locale}`);

  await page.goto(`${RINGBOOK_URL}/console`);
  clicks();
  const before = (await overrides()).length;
  await page.click('nav a[href="/console/on-call"]');
  await page.click(`a[aria-label="${next}"]`);
  const first = page.locator('.month td li:not(.gap) a').first();
  const who = await first.innerText();
  await first.click();
  await page.locator('.month td li:not(.gap) a').filter({ hasNotText: who }).last().click();
  await page.locator('form[action*="/swap"] button').click();
  await page.locator('.outcome:not(.choosing)').waitFor();
  const swap = clicks();
  assert.ok(swap <= MAX_SWAP_CLICKS, `a swap took ${swap} clicks`);
  assert.equal((await overrides()).length, before + 2);
  told(`a swap of two shifts takes ${swap} clicks, ${locale}`);
  for (const { code, version } of (await overrides()).filter(({ code }) => code !== 'new_year')) {
    await api('DELETE', `${BOOK}/shift-overrides/${code}?version=${version}`);
  }
  await page.goto(PAGE);
  await page.locator('.month .today .date a').click();
  await page.locator('form[action*="/holiday/remove"] button').click();
  await page.locator('.outcome').waitFor();
  assert.equal(await page.locator('.month .today .holiday').count(), 0);
  await context.close();
}

// The month that the page shows.
async function month(page) {
  const next = await page.locator('form[action*="/on-call/replace"]').getAttribute('action');
  return next.split('month=')[1];
}

// By keyboard alone: the page leads from field to field.
{
  const { context, page, clicks } = await open();
  await signIn(page);
  await page.goto(`${PAGE}?month=2030-12&day=2030-12-24`);
  clicks();
  await page.locator('#replace-instead_of').focus();
  await page.keyboard.type('Sarah');
  await page.keyboard.press('Tab');
  await page.keyboard.type('Mario');
  await page.locator('#replace-comment').focus();
  await page.keyboard.type('Dentist');
  await page.keyboard.press('Enter');
  await page.locator('.outcome').waitFor();
  assert.ok((await page.locator('.override-row').first().innerText()).includes('Dentist'));
  assert.equal(clicks(), 0);
  const made = (await overrides()).find(({ comment }) => comment === 'Dentist');
  assert.deepEqual([made.contact, made.instead_of, made.from, made.until], ['on_call', 'second', '2030-12-24T00:00', '2030-12-25T00:00']);
  await page.locator('.override-row button').first().focus();
  await page.keyboard.press('Enter');
  await page.locator('.outcome').waitFor();
  assert.equal((await overrides()).length, 1);
  told('somebody is replaced, and it is taken back, by keyboard alone');
  await context.close();
}

// A calendar feed, which another program reads. Then everything without scripts.
{
  const { context, page } = await open({ javaScriptEnabled: false });
  await signIn(page);
  await page.goto(PAGE);
  await page.fill('#feed-name', 'Office');
  await page.locator('form[action*="/feeds"] button').last().click();
  const address = await page.locator('#feed-address').getAttribute('value');
  const calendar = await fetch(address);
  assert.equal(calendar.headers.get('content-type'), 'text/calendar; charset=utf-8');
  const text = await calendar.text();
  assert.ok(text.includes('SUMMARY:Mario Bélanger') && !text.includes('514555'), text);
  await page.goto(PAGE);
  await page.locator('form[action*="/revoke"] button').first().click();
  assert.equal((await fetch(address)).status, 404);
  told('a calendar program reads a feed until it is revoked, without scripts');
  await context.close();
}
{
  const { context, page } = await open();
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(page);
  await page.goto(PAGE);
  await page.fill('#feed-name', 'Office');
  await page.keyboard.press('Enter');
  await page.click('#copy');
  await page.locator('#copy', { hasText: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator('#feed-address').inputValue());
  told('the address of a feed is copied');
  await context.close();
}

await end();
