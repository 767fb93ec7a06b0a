// The first steps of a new user in Swagger UI, with its default input: authorize, a quote, a price, the next quote, and
// an invalid condition whose error shows what is wrong and where.
//
// It reads RINGBOOK_URL and RINGBOOK_ADMIN_KEY. It prints a line for each step, and writes a screenshot to artifacts/.

import assert from 'node:assert/strict';
import { open } from './swagger.mjs';

const { RINGBOOK_URL, RINGBOOK_ADMIN_KEY, ARTIFACTS } = process.env;
const told = (text) => console.log(`ok  ${text}`);

const ui = await open(RINGBOOK_URL);
const guide = await ui.page.locator('.info .renderedMarkdown').innerText();
assert.match(guide, /^[^]*Begin[^]*Authorize[^]*Change a price/);
told('the page opens with the guide');

const refused = await ui.call('evaluate');
assert.equal(refused.status, 401, refused.text);
await ui.authorize(RINGBOOK_ADMIN_KEY);
const quote = async () => {
  const { status, text, body } = await ui.call('evaluate');
  assert.equal(status, 200, text);
  return [body.decision.price.from, body.decision.price.to, body.decision.revision];
};
const [from, to, revision] = await quote();
told(`authorized; what is filled in is quoted ${from} to ${to}`);

// Follows the guide's own link.
await ui.page.click('.info a[href="#/services/put_service"]');
await ui.page.locator('.opblock[id$="-put_service"] .execute').waitFor();
told('the link of the guide opens the operation');
const price = { price_from: '375.00', price_to: '425.00' };
const put = await ui.call('put_service', {}, (filledIn) => ({ ...filledIn, ...price }));
assert.equal(put.status, 200, put.text);
assert.deepEqual(await quote(), [price.price_from, price.price_to, put.body.version]);
assert.ok(put.body.version > revision);
told(`a price is changed; the next quote is ${price.price_from} to ${price.price_to}`);

const stale = await ui.call('put_service', {}, (filledIn) => ({ ...filledIn, price_from: '1.00', version: 1 }));
assert.equal(stale.status, 412, stale.text);
const bad = await ui.call('patch_adjustment', {}, { condition: 'aera == "south_shore"', version: 1 });
assert.equal(bad.status, 422, bad.text);
for (const part of ['"/condition"', 'line 1, column 1', 'there is no fact `aera`', 'did you mean `area`?']) {
  assert.ok(bad.text.includes(part), `${part} is not on the screen: ${bad.text}`);
}
await ui.picture(`${ARTIFACTS}/bad-condition.png`, 'patch_adjustment');
told('a bad condition is told with its place and what was meant');
await ui.close();
