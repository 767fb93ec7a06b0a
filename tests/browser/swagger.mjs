// Uses Swagger UI as a person does. The page object's `call` finds an operation, types into its fields and presses its
// buttons. This module never sends a request itself.
//
// The test fails when the page object is closed if the page sent a request to another host, logged an error or threw an
// exception. A violation of the content policy is such an error.

import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export async function open(url, { width = 1280, height = 900, colorScheme = 'light' } = {}) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  const faults = [];
  page.on('request', (request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith('http') && address.origin !== url) faults.push(`asked another host: ${request.url()}`);
  });
  page.on('console', (message) => {
    // A test may expect a 4xx response.
    const refused = /^Failed to load resource: .* status of 4\d\d/.test(message.text());
    if (message.type() === 'error' && !refused) faults.push(`in the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`thrown: ${error.stack}`));
  page.on('dialog', (dialog) => dialog.accept());
  await page.goto(`${url}/docs`);
  await page.waitForSelector('.opblock-tag');
  return new SwaggerUi(browser, page, faults);
}

class SwaggerUi {
  constructor(browser, page, faults) {
    Object.assign(this, { browser, page, faults });
  }

  async authorize(key) {
    await this.page.click('.auth-wrapper .authorize');
    await this.page.fill('.auth-container input', key);
    await this.page.click('.auth-btn-wrapper .authorize');
    await this.page.click('.auth-btn-wrapper .btn-done');
  }

  // Finds an operation by its id and opens it.
  async find(operation) {
    await this.page.fill('.operation-filter-input', operation);
    const block = this.page.locator(`.opblock[id$="-${operation}"]`);
    await block.scrollIntoViewIfNeeded();
    if (!(await block.evaluate((element) => element.classList.contains('is-open')))) {
      await block.locator('.opblock-summary-control').click();
    }
    await block.locator('.execute').waitFor();
    return block;
  }

  // Calls an operation by its id: fills the parameters and the body (or derives it from the default input), executes,
  // and returns status and body.
  async call(operation, parameters = {}, body) {
    const block = await this.find(operation);
    for (const [name, value] of Object.entries(parameters)) {
      const field = block.locator(`tr[data-param-name="${name}"]`).locator('input, select').first();
      const isSelect = await field.evaluate((element) => element.tagName === 'SELECT');
      await (isSelect ? field.selectOption(String(value)) : field.fill(String(value)));
    }
    if (body !== undefined) {
      const field = block.locator('.body-param textarea');
      const sent = typeof body === 'function' ? body(JSON.parse(await field.inputValue())) : body;
      await field.fill(JSON.stringify(sent, null, 2));
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

  // A screenshot of an operation with its last response.
  async picture(file, operation) {
    await this.page.fill('.operation-filter-input', operation);
    const block = this.page.locator(`.opblock[id$="-${operation}"]`);
    await block.locator('.opblock-summary-control').click();
    await block.locator('.live-responses-table').scrollIntoViewIfNeeded();
    await this.page.screenshot({ path: file });
    await block.locator('.opblock-summary-control').click();
  }

  async close() {
    await this.browser.close();
    if (this.faults.length) throw new Error(this.faults.join('\n'));
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
