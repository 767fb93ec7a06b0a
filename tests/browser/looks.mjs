// Checks the appearance of /docs, light and dark, on a desktop, a tablet and a phone. The page is idle, shows a search,
// an open operation or its response, or shows the dialog for the key. The dialog must work with the keyboard alone.
//
// It reads RINGBOOK_URL, RINGBOOK_ADMIN_KEY and ARTIFACTS. It prints a line for each check, and writes screenshots.

import assert from 'node:assert/strict';
import { open } from './swagger.mjs';
import { unreadable } from './readable.mjs';

const { RINGBOOK_URL, RINGBOOK_ADMIN_KEY, ARTIFACTS } = process.env;

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1280, 768, 390]) {
    const ui = await open(RINGBOOK_URL, { width, colorScheme });
    const { page } = ui;
    const look = async (what, picture = { fullPage: true }) => {
      await page.screenshot({ path: `${ARTIFACTS}/docs-${colorScheme}-${width}-${what}.png`, ...picture });
      assert.deepEqual(await unreadable(page), [], `${colorScheme}, ${width} pixels, ${what}`);
    };

    await look('at-rest');
    for (const summary of await page.locator('.info summary').all()) await summary.click();
    await look('guide');
    for (const summary of await page.locator('.info summary').all()) await summary.click();

    await authorizeByKeyboard(page, (picture) => look('authorize', picture));
    await page.fill('.operation-filter-input', 'service');
    await page.locator('.opblock[id$="-put_service"]').waitFor();
    await look('found');

    const { status, text } = await ui.call('get_service');
    assert.equal(status, 200, text);
    await ui.call('patch_adjustment', {}, { condition: 'aera == "south_shore"', version: 1 });
    const block = await ui.find('patch_adjustment');
    await look('answer');
    await block.locator('.example-button').first().click();
    await block.locator('.responses-inner .model-example .tab li:nth-child(2) button').first().click();
    await look('schema');
    await ui.close();
    console.log(`ok  ${colorScheme}, ${width} pixels wide`);
  }
}

async function authorizeByKeyboard(page, look) {
  const focused = () => page.evaluate(() => document.activeElement.className);
  let presses = 0;
  while (!(await focused()).includes('btn authorize')) {
    await page.keyboard.press('Tab');
    assert.ok(++presses < 60, 'Authorize is not reached by keyboard');
  }
  await page.keyboard.press('Enter');
  await page.locator('.auth-container input').waitFor();
  await look({});
  while ((await page.evaluate(() => document.activeElement.closest('.auth-container input')?.type)) !== 'text') {
    await page.keyboard.press('Tab');
    assert.ok(++presses < 90, 'the field for the key is not reached by keyboard');
  }
  await page.keyboard.type(RINGBOOK_ADMIN_KEY);
  await page.keyboard.press('Enter');
  await page.locator('.auth-btn-wrapper .btn-done').click();
}
