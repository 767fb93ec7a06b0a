// A price change in Swagger UI alone: quote, change set, diff, backtest, publish, quote, roll back, quote, audit log.
// Only the page's own buttons send requests.
//
// It reads RINGBOOK_URL, RINGBOOK_ADMIN_KEY and CALLS (the number of stored calls that the backtest must process). It
// prints a line for each step, and writes screenshots to artifacts/.

import assert from 'node:assert/strict';
import { open } from './swagger.mjs';

const { RINGBOOK_URL, RINGBOOK_ADMIN_KEY, ARTIFACTS, CALLS } = process.env;

const rulebook = 'default';
const asked = { facts: { service_text: 'racines dans le drain', postal_code: 'J4H 1A1' }, at: '2026-11-24T15:00:00Z' };

const ui = await open(RINGBOOK_URL);
await ui.authorize(RINGBOOK_ADMIN_KEY);

const call = async (expected, operation, parameters, body) => {
  const answer = await ui.call(operation, parameters, body);
  assert.equal(answer.status, expected, `${operation}: ${answer.text}`);
  return answer;
};
const quote = async () => {
  const { body } = await call(200, 'evaluate', { rulebook }, asked);
  return [body.decision.price.from, body.decision.price.to];
};
const told = (text) => console.log(`ok  ${text}`);

const before = await quote();
told(`a quote on the South Shore is ${before.join(' to ')}`);

const { body: south } = await call(200, 'get_adjustment', { rulebook, code: 'south_shore' });
let { body: set } = await call(201, 'create_change_set', { rulebook }, { comment: 'South Shore to 120' });
const { id } = set;
const change = {
  resource: 'adjustments',
  code: 'south_shore',
  method: 'patch',
  body: { amount: '120.00' },
  version: south.version,
};
({ body: set } = await call(200, 'add_change', { rulebook, id, version: set.version }, change));
told('a change set is open and raises the South Shore to 120');

const { body: diff } = await call(200, 'diff_change_set', { rulebook, id });
assert.deepEqual(diff.rows[0].changes, [{ column: 'amount', before: '100.00', after: '120.00' }]);
await ui.picture(`${ARTIFACTS}/change-set-diff.png`, 'diff_change_set');
const { body: check } = await call(200, 'check_change_set', { rulebook, id });
assert.equal(check.publishable, true, JSON.stringify(check));
told('its diff shows 100.00 and 120.00, and it may be published');
assert.deepEqual(await quote(), before);

let { body: backtest } = await call(202, 'start_backtest', { rulebook }, { change_set: id, days: 30, simulated: true });
const job = { rulebook, id: backtest.id };
while (backtest.state === 'queued' || backtest.state === 'running') {
  ({ body: backtest } = await call(200, 'get_backtest', job));
}
assert.equal(backtest.state, 'done', JSON.stringify(backtest));
assert.equal(backtest.result.calls, Number(CALLS));
assert.ok(backtest.result.changed > 0);
await ui.picture(`${ARTIFACTS}/backtest.png`, 'get_backtest');
const took = (new Date(backtest.finished_at) - new Date(backtest.started_at)) / 1000;
told(`of ${backtest.result.calls} calls, ${backtest.result.changed} would be quoted otherwise; told after ${took} s`);

const publish = { rulebook, id, version: set.version };
const { body: published } = await call(200, 'publish_change_set', publish, { comment: 'fuel' });
const after = await quote();
assert.deepEqual(after.map(Number), before.map((price) => Number(price) + 20));
told(`published as revision ${published.revision}; the next quote is ${after.join(' to ')}`);

// The default input of the rollback operation is a dry run, so nobody rolls back by just pressing Execute.
await call(200, 'roll_back', { rulebook, number: south.version, version: published.revision, dry_run: 'false' });
assert.deepEqual(await quote(), before);
told(`rolled back; the next quote is ${before.join(' to ')}`);

const { text: audit } = await call(200, 'list_audit_log', {});
for (const found of ['change-sets', 'south_shore', 'roll_back']) assert.ok(audit.includes(found), `${found}: ${audit}`);
await call(200, 'verify_audit_log', {});
await ui.picture(`${ARTIFACTS}/audit-log.png`, 'list_audit_log');
told('the audit log tells all of it, and its chain holds');
await ui.close();
