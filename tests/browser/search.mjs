// Tests the search box of /docs with the words of owners and technicians, in English and French. Each word finds the
// right operation, and no word finds all operations. For an unknown word, the search suggests similar words.
//
// It reads RINGBOOK_URL, and prints for each word how many operations it found.

import assert from 'node:assert/strict';
import { open } from './swagger.mjs';

const { RINGBOOK_URL, ARTIFACTS } = process.env;

// A word, and an operation that the search must find.
const words = `
price put_service
prices put_service
quote evaluate
how much evaluate
discount put_adjustment
promotion put_adjustment
travel put_adjustment
tax put_tax
holiday patch_calendar
holidays patch_calendar
hours patch_calendar
closed patch_calendar
vacation patch_calendar
weekend patch_calendar
on-call patch_contact
on call patch_contact
technician patch_contact
phone number patch_contact
employee put_contact
urgent patch_priority_rule
emergency patch_priority_rule
text put_template
undo roll_back
history list_revisions
who changed list_audit_log
today list_calls
report get_stats
customer list_leads
call back list_leads
language put_rulebook
currency put_rulebook
city patch_area
postal code patch_area
password create_api_key
privacy create_erasure
unsubscribe list_sms_suppressions
excel export_services_csv
appointment put_tool
business create_rulebook
approve approve_change_set
prix put_service
soumission evaluate
rabais put_adjustment
congé patch_calendar
férié patch_calendar
horaire patch_calendar
garde patch_contact
technicien patch_contact
urgence patch_priority_rule
annuler roll_back
aujourd'hui list_calls
langue put_rulebook
ville patch_area
texto list_sms_messages
client list_leads
put_service put_service
roll back roll_back
`.trim().split('\n').map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]);

const ui = await open(RINGBOOK_URL);
const { page } = ui;
const all = await page.evaluate(() => Object.keys(operations).length);

const hits = async (word) => {
  await page.fill('.operation-filter-input', word);
  await page.waitForFunction((text) => document.querySelector('.operation-filter-input').value === text, word);
  return page.locator('.opblock').evaluateAll((blocks) => blocks.map((block) => block.id.split('-').pop()));
};

const faults = [];
console.log(`${'word'.padEnd(16)} hits  must find`);
for (const [word, expected] of words) {
  const found = await hits(word);
  console.log(`${word.padEnd(16)} ${String(found.length).padStart(4)}  ${expected}`);
  if (!found.includes(expected)) faults.push(`${word} does not find ${expected}`);
  if (found.length > all / 3) faults.push(`${word} finds ${found.length} of ${all}`);
}
const rulebook = await hits('rulebook');
console.log(`${'rulebook'.padEnd(16)} ${String(rulebook.length).padStart(4)}  of ${all}`);
if (rulebook.length > all / 3) faults.push(`rulebook finds ${rulebook.length} of ${all}`);
assert.deepEqual(faults, []);

assert.deepEqual(await hits('holliday'), []);
const nothing = page.locator('.nothing-found');
assert.match(await nothing.innerText(), /Nothing found for “holliday”/);
await page.screenshot({ path: `${ARTIFACTS}/docs-nothing-found.png` });
await nothing.getByRole('button', { name: 'holiday', exact: true }).click();
await page.locator('.opblock[id$="-patch_calendar"]').waitFor();
console.log('ok  for an unknown word, the search suggests a similar word');
assert.deepEqual(await hits('zzzzzz'), []);
assert.match(await nothing.innerText(), /price/);
assert.equal((await page.locator('body').innerText()).includes('No operations defined'), false);
assert.equal((await hits('')).length, 3, 'after the search, the groups must be closed again, and the webhooks must be shown');
assert.ok((await page.locator('.opblock-tag').count()) > 30);
await ui.close();
