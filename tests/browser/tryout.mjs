// Checks what a person sees when trying an operation: the schema beside the body, useful default input, errors at the
// top, a key that is stored for the tab and never visible, a visible Authorize button, and nothing covered on a phone.
//
// It reads RINGBOOK_URL, RINGBOOK_ADMIN_KEY and ARTIFACTS. It prints a line for each step, and writes screenshots.

import assert from 'node:assert/strict';
import { open } from './swagger.mjs';

const { RINGBOOK_URL, RINGBOOK_ADMIN_KEY, ARTIFACTS } = process.env;
const told = (text) => console.log(`ok  ${text}`);

const start = await fetch(`${RINGBOOK_URL}/`, { redirect: 'manual' });
assert.deepEqual([start.status, start.headers.get('location')], [307, '/docs']);
for (const path of ['/docs', '/openapi.json']) {
  const plain = await (await fetch(`${RINGBOOK_URL}${path}`, { headers: { 'accept-encoding': 'identity' } })).arrayBuffer();
  const sent = await fetch(`${RINGBOOK_URL}${path}`, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(sent.headers.get('content-encoding'), 'gzip');
  const size = Number(sent.headers.get('content-length'));
  assert.ok(size * 4 < plain.byteLength, `${path}: ${size} of ${plain.byteLength}`);
  told(`${path} is sent in ${Math.round(size / 1024)} kB instead of ${Math.round(plain.byteLength / 1024)} kB`);
}

for (const width of [1280, 390]) {
  const ui = await open(RINGBOOK_URL, { width });
  const { page } = ui;
  const authorize = page.locator('.auth-wrapper .authorize');
  const isInSight = async () => {
    const { y, height } = await authorize.boundingBox();
    return y >= 0 && y + height < 200;
  };
  assert.ok(await isInSight(), 'Authorize is not within sight at the top');
  await page.evaluate(() => scrollTo(0, 3_000));
  assert.ok(await isInSight(), 'Authorize is not within sight further down');
  await ui.authorize(RINGBOOK_ADMIN_KEY);

  const block = await ui.find('patch_service');
  const body = block.locator('.body-param textarea');
  assert.deepEqual(Object.keys(JSON.parse(await body.inputValue())).sort(), ['price_from', 'price_to', 'version']);
  const schema = block.locator('.body-schema');
  await schema.waitFor();
  const names = await schema.innerText();
  for (const name of ['price_from', 'keywords', 'lead_days_min']) assert.ok(names.includes(name), `${name}: ${names}`);
  const [left, right] = [await body.boundingBox(), await schema.boundingBox()];
  if (width > 800) assert.ok(right.x >= left.x + left.width - 1 && right.y < left.y + left.height, 'the schema is not beside');
  await body.scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${ARTIFACTS}/tryout-${width}.png` });
  assert.deepEqual(await covered(page), [], `${width} pixels, an operation`);
  await block.locator('.opblock-summary-control').click();
  told(`${width}: the schema is beside the body, which has what people change`);

  const calendar = await ui.find('patch_calendar');
  const filledIn = JSON.parse(await calendar.locator('.body-param textarea').inputValue());
  assert.deepEqual(Object.keys(filledIn.holidays[0]), ['date', 'name']);
  await calendar.locator('.opblock-summary-control').click();
  const book = await ui.call('get_calendar');
  assert.equal(book.status, 200, book.text);
  told(`${width}: a holiday can be guessed from its example`);

  const stale = await ui.call('patch_service', {}, { price_from: '1.00', version: 0 });
  assert.ok([412, 422].includes(stale.status), stale.text);
  assert.match(stale.text.split('\n')[1], /"detail"/, 'what is wrong comes first');
  const curl = await page.evaluate(() => document.body.innerText);
  await ui.find('patch_service');
  const shown = await page.locator('.opblock[id$="-patch_service"] .curl-command').innerText();
  assert.ok(shown.includes('YOUR_KEY') && !shown.includes(RINGBOOK_ADMIN_KEY) && !curl.includes(RINGBOOK_ADMIN_KEY));
  await page.locator('.opblock[id$="-patch_service"] .live-responses-table').scrollIntoViewIfNeeded();
  assert.deepEqual(await covered(page), [], `${width} pixels, an answer`);
  told(`${width}: what is wrong comes first, and the key is on no screen`);

  await page.reload();
  await page.waitForSelector('.opblock-tag');
  const again = await ui.call('get_stats');
  assert.equal(again.status, 200, `the key is gone after a reload: ${again.text}`);
  const other = await page.context().newPage();
  await other.goto(`${RINGBOOK_URL}/docs`);
  await other.waitForSelector('.opblock-tag');
  assert.equal(await other.locator('.authorize.locked').count(), 0, 'another tab has the key');
  await other.close();
  await authorize.click();
  await page.locator('.auth-btn-wrapper button', { hasText: 'Logout' }).click();
  await page.locator('.auth-btn-wrapper .btn-done').click();
  await page.reload();
  await page.waitForSelector('.opblock-tag');
  assert.equal(await page.locator('.authorize.locked').count(), 0, 'the key is still there after Logout');
  told(`${width}: the key stays for the tab alone, until Logout`);
  await ui.close();
}

// Visible texts and controls whose middle is covered by another element.
function covered(page) {
  return page.evaluate(() => {
    const faults = [];
    const bar = document.querySelector('.scheme-container').getBoundingClientRect();
    for (const element of document.querySelectorAll('button, input, select, textarea, a, p, h4, h5, td, label')) {
      const box = element.getBoundingClientRect();
      if (box.width < 2 || box.height < 2 || !element.checkVisibility({ visibilityProperty: true })) continue;
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      if (x < 0 || x >= innerWidth || y >= innerHeight || y < bar.bottom) continue;
      const top = document.elementFromPoint(x, y);
      if (top && !element.contains(top) && !top.contains(element)) {
        faults.push(`${element.tagName} "${(element.innerText || element.value || '').slice(0, 30)}" is under ${top.tagName}.${top.className}`);
      }
    }
    return faults;
  });
}
