// Prices become a change set in the console: the test types prices, reads the backtest and publishes. It runs by mouse
// with counted clicks, by keyboard alone and without scripts. It also covers an invalid price, a percentage, a paste, a
// concurrent change, an expired session, a lost connection, and a page left with unsaved input.
//
// It reads RINGBOOK_URL, RINGBOOK_ADMIN_KEY and ARTIFACTS, and needs simulated calls (CALLS=60). It prints a line for
// each step, and writes screenshots.

import assert from 'node:assert/strict';
import { RINGBOOK_ADMIN_KEY, RINGBOOK_URL, api, end, everywhere, open, signIn, told } from './console_window.mjs';

const BOOK = '/rulebooks/default';
const CAMERA = '[name="services.camera_inspection.price"]';
const CLEANOUT = '[name="services.cleanout_installation.price"]';
const ROOTS = '[name="services.root_removal.price_to"]';
const SHORE = '[name="adjustments.south_shore.amount"]';
// Maximum number of clicks from the board: change two prices, run the backtest, publish.
const MAX_CLICKS = 7;

const price = async (code) => Number((await api('GET', `${BOOK}/services/${code}`)).price_from);
// Discards the change sets that earlier steps did not publish.
const discardAll = async () => {
  for (const { id, version } of (await api('GET', `${BOOK}/change-sets?state=open`)).items) {
    await api('POST', `${BOOK}/change-sets/${id}/discard?version=${version}`);
  }
};
const published = async (page) => {
  await page.locator('.set-state.published').waitFor();
};

// By mouse.
for (const locale of ['en-CA', 'fr-CA']) {
  const { context, page, clicks } = await open({ locale });
  await signIn(page);
  const before = [await price('camera_inspection'), await price('cleanout_installation')];
  clicks();
  await page.click('.top nav a[href="/console/prices"]');
  await page.click(CAMERA);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type(String(before[0] + 30));
  await page.locator('tr.changed .delta').first().waitFor();
  await page.click(CLEANOUT);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type(String(before[1] + 100) + (locale === 'fr-CA' ? ',00' : '.00'));
  assert.match(await page.locator('#changed').innerText(), /^2 /);
  await page.click('button[value=try]');
  await page.waitForURL(/\/console\/change-sets\/[0-9a-f-]{36}$/);
  // All calls are simulated here, so a backtest of real calls finds none.
  await page.click('#backtest button[value=test]');
  await page.locator('#backtest figure svg polygon').first().waitFor();
  await page.click('.bar button[value=publish]');
  await published(page);
  const count = clicks();
  assert.ok(count <= MAX_CLICKS, `${count} clicks`);
  assert.deepEqual([await price('camera_inspection'), await price('cleanout_installation')], [before[0] + 30, before[1] + 100]);
  told(`two prices are changed, tested and published with ${count} clicks, ${locale}`);
  await page.locator('#backtest .marks a').last().click();
  await page.locator('.transcript li').first().waitFor();
  told('a mark leads to its call');
  await context.close();
}

// By keyboard alone.
for (const locale of ['en-CA', 'fr-CA']) {
  const { context, page, clicks } = await open({ locale });
  await signIn(page);
  const tabTo = async (selector) => {
    for (let presses = 0; presses < 200; presses += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
    }
    assert.fail(`the Tab key never reaches ${selector}`);
  };
  const before = await price('camera_inspection');
  await tabTo('.top nav a[href="/console/prices"]');
  await page.keyboard.press('Enter');
  await page.locator(CAMERA).waitFor();
  await tabTo(CAMERA);
  await page.keyboard.type(String(before + 10));
  await tabTo(SHORE);
  const shore = Number((await api('GET', `${BOOK}/adjustments/south_shore`)).amount);
  await page.keyboard.type(String(shore + 5));
  await tabTo('button[value=try]');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/console\/change-sets\//);
  await page.locator('#backtest button[value=test]').first().waitFor();
  await tabTo('#backtest button[value=test]');
  await page.keyboard.press('Enter');
  await page.locator('#backtest figure').waitFor();
  await tabTo('#backtest table a');
  await tabTo('.bar button[value=publish]');
  await page.keyboard.press('Enter');
  await published(page);
  assert.equal(await price('camera_inspection'), before + 10);
  assert.equal(clicks(), 0);
  told(`the same by keyboard alone, ${locale}`);
  await context.close();
}

// Checks readability.
const rails = async (limits) => {
  const { version } = await api('GET', `${BOOK}/guard-rails`);
  await api('PUT', `${BOOK}/guard-rails`, { ...limits, version });
};
let amount = 101;
await everywhere(async ({ page, look }) => {
  await rails({ largest_change_percent: '25', lowest_price: '100.00' });
  await signIn(page);
  await page.goto(`${RINGBOOK_URL}/console/prices`);
  await look('prices-form');
  await page.fill(CAMERA, '99');
  await page.fill(ROOTS, '810');
  await page.fill(SHORE, 'x');
  await page.locator('.hint .beyond').first().waitFor();
  await page.click('button[value=try]');
  await page.locator('.note.bad').waitFor();
  await look('prices-fault');
  await page.fill(SHORE, '125');
  await page.click('details.paste summary');
  await page.fill('#pasted', 'camera_inspection\t410\nunknown\t5');
  await page.click('button[value=paste]');
  await page.locator('.misses').waitFor();
  await look('prices-pasted');
  await page.fill('#comment', 'Winter prices for the South Shore and the camera, as agreed with the accountant');
  await page.click('button[value=save]');
  await page.waitForURL(/\/console\/change-sets\//);
  await look('change-set');
  await page.check('#backtest [name=simulated]');
  await page.click('#backtest button[value=test]');
  await page.locator('#backtest figure').waitFor();
  await look('change-set-tested');
  // The next changes must be live immediately.
  await rails({});
  const id = page.url().split('/').pop();
  const { version } = await api('GET', `${BOOK}/adjustments/south_shore`);
  await api('PATCH', `${BOOK}/adjustments/south_shore`, { amount: `${(amount += 1)}.00`, version });
  await page.reload();
  await page.locator('.conflicts').waitFor();
  await look('change-set-conflict');
  await page.click('button[value=mine]');
  await page.locator('.conflicts').waitFor({ state: 'detached' });
  await page.goto(`${RINGBOOK_URL}/console/change-sets`);
  await look('change-sets');
  await page.goto(`${RINGBOOK_URL}/console/change-sets/${id}`);
  await page.click('button[value=discard]');
  await page.locator('.set-state.discarded').waitFor();
});

// A percentage on a selection.
{
  const { context, page } = await open();
  await signIn(page);
  await page.goto(`${RINGBOOK_URL}/console/prices`);
  const before = await price('camera_inspection');
  await page.check('[name=pick][value="services.camera_inspection"]');
  await page.fill('#percent', '10');
  await page.keyboard.press('Enter');
  await page.locator('.note.good').waitFor();
  assert.equal(Number(await page.inputValue(CAMERA)), Math.round(before * 1.1));
  assert.equal(await price('camera_inspection'), before);
  told('a percentage fills in the selected rows and saves nothing');
  await context.close();
}

// A page left with unsaved input, a lost connection, an expired session.
{
  const { context, page } = await open();
  await signIn(page);
  await page.goto(`${RINGBOOK_URL}/console/prices`);
  await page.fill(CAMERA, '512');
  let asked = 0;
  page.on('dialog', async (dialog) => {
    asked += 1;
    await (asked === 1 ? dialog.dismiss() : dialog.accept());
  });
  await page.click('.top nav a[href="/console/leads"]');
  assert.deepEqual([asked, page.url(), await page.inputValue(CAMERA)], [1, `${RINGBOOK_URL}/console/prices`, '512']);
  told('leaving the page asks first');

  await context.setOffline(true);
  await page.click('button[value=save]');
  await page.locator('#offline').waitFor({ state: 'visible' });
  await context.setOffline(false);
  await page.locator('#offline').waitFor({ state: 'hidden' });
  assert.equal(await page.inputValue(CAMERA), '512');
  told('a lost connection is said, and nothing typed is lost');

  await context.clearCookies();
  await page.click('button[value=save]');
  await page.locator('.login .kept').waitFor();
  await page.fill('#key', RINGBOOK_ADMIN_KEY);
  await page.keyboard.press('Enter');
  await page.locator('.login .facts').waitFor({ state: 'attached' });
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/console\/change-sets\//);
  assert.match(await page.locator('.diff').first().innerText(), /\$512/);
  told('a session that ended loses nothing typed');
  await context.close();
  await discardAll();
}

// Two tabs, the second saves first.
{
  const { context, page } = await open();
  await signIn(page);
  await page.goto(`${RINGBOOK_URL}/console/prices`);
  const other = await context.newPage();
  await other.goto(`${RINGBOOK_URL}/console/prices`);
  await other.fill(CAMERA, '371');
  await other.click('button[value=save]');
  await other.waitForURL(/\/console\/change-sets\//);
  await other.click('.bar button[value=publish]');
  await published(other);
  await page.fill(CAMERA, '382');
  await page.click('button[value=save]');
  await page.locator('.clash').waitFor();
  assert.match(await page.locator('.clash').innerText(), /\$371[^]*\$382/);
  assert.equal(await page.inputValue(CAMERA), '382');
  await page.check('[name=theirs]');
  await page.click('button[value=save]');
  await page.locator('.note.bad').waitFor();
  assert.equal(await page.inputValue(CAMERA), '371');
  told('two tabs do not overwrite each other');
  await context.close();
}

// Without scripts.
{
  const { context, page } = await open({ javaScriptEnabled: false });
  await signIn(page);
  await page.goto(`${RINGBOOK_URL}/console/prices`);
  await page.fill(CAMERA, '375');
  await page.click('button[value=try]');
  await page.waitForURL(/\/console\/change-sets\//);
  await page.goto(page.url());
  await page.check('#backtest [name=simulated]').catch(() => {});
  await page.locator('#backtest button[value=test]').first().click();
  for (let looks = 0; looks < 40 && (await page.locator('figure.picture').count()) === 0; looks += 1) {
    await page.waitForTimeout(250);
    await page.reload();
  }
  assert.equal(await page.locator('figure.picture').count(), 1);
  await page.click('.bar button[value=publish]');
  await published(page);
  assert.equal(await price('camera_inspection'), 375);
  told('all of it without scripts');
  await context.close();
}

await end();
