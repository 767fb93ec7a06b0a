// Swagger UI as a person uses it: finds an operation, tries it out, reads what came back.
//
// In: the server's address and an admin key. Out: a page object whose `call` types into the operation's own fields and
// presses its own buttons; nothing here sends a request itself. Requests to any other host fail the story.

import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export async function open(url, { width = 1280, height = 900 } = {}) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  const page = await browser.newPage({ viewport: { width, height } });
  const strangers = [];
  page.on('request', (request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith('http') && address.origin !== url) strangers.push(request.url());
  });
  page.on('dialog', (dialog) => dialog.accept());
  await page.goto(`${url}/docs`);
  await page.waitForSelector('.opblock');
  return new SwaggerUi(browser, page, strangers);
}

class SwaggerUi {
  constructor(browser, page, strangers) {
    Object.assign(this, { browser, page, strangers });
  }

  async authorize(key) {
    await this.page.click('.auth-wrapper .authorize');
    await this.page.fill('.auth-container input', key);
    await this.page.click('.auth-btn-wrapper .authorize');
    await this.page.click('.auth-btn-wrapper .btn-done');
  }

  // Calls an operation by its id: fills the parameters and the body, executes, gives back status and body.
  async call(operation, parameters = {}, body) {
    const block = this.page.locator(`.opblock[id$="-${operation}"]`);
    await block.scrollIntoViewIfNeeded();
    if (!(await block.evaluate((element) => element.classList.contains('is-open')))) {
      await block.locator('.opblock-summary-control').click();
    }
    const tryOut = block.locator('.try-out__btn:not(.cancel):not(.reset)');
    if (await tryOut.count()) await tryOut.click();
    for (const [name, value] of Object.entries(parameters)) {
      const field = block.locator(`tr[data-param-name="${name}"]`).locator('input, select').first();
      const isSelect = await field.evaluate((element) => element.tagName === 'SELECT');
      await (isSelect ? field.selectOption(String(value)) : field.fill(String(value)));
    }
    if (body !== undefined) {
      await block.locator('.body-param textarea').fill(JSON.stringify(body, null, 2));
    }
    const clear = block.locator('.btn-clear');
    if (await clear.count()) await clear.click();
    await block.locator('.execute').click();
    const row = block.locator('.live-responses-table tbody tr.response').first();
    await row.waitFor({ timeout: 60_000 });
    const status = Number.parseInt(await row.locator('.response-col_status').first().innerText(), 10);
    const shown = row.locator('.response-col_description pre').first();
    const text = (await shown.count()) ? await shown.innerText() : '';
    await block.locator('.opblock-summary-control').click();
    return { status, text, body: parsed(text) };
  }

  // A picture of an operation with what it last answered.
  async picture(file, operation) {
    const block = this.page.locator(`.opblock[id$="-${operation}"]`);
    await block.locator('.opblock-summary-control').click();
    await block.locator('.live-responses-table').scrollIntoViewIfNeeded();
    await this.page.screenshot({ path: file });
    await block.locator('.opblock-summary-control').click();
  }

  async close() {
    await this.browser.close();
    if (this.strangers.length) throw new Error(`asked other hosts: ${this.strangers.join(', ')}`);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
