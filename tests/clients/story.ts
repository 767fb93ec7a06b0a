// Executes the steps of the README with the generated TypeScript client against a running server. The steps are: a
// service and its price, a quote, a stale write, a change set with its diff and backtest, a rollback, lists in pages, a
// viewer, the audit log, keys, decisions.
//
// The script reads RINGBOOK_URL and RINGBOOK_ADMIN_KEY. The server must already have some simulated calls. The script
// prints a line for each step.

import assert from 'node:assert/strict';
import * as ringbook from '../../clients/typescript';
import { createClient, createConfig } from '../../clients/typescript/client';
import type { Call, Problem, Service } from '../../clients/typescript';

const { RINGBOOK_URL: baseUrl = '', RINGBOOK_ADMIN_KEY = '' } = process.env;
const withKey = (key: string) => createClient(createConfig({ baseUrl, auth: key }));
const client = withKey(RINGBOOK_ADMIN_KEY);
const rulebook = 'default';
const code = 'camera_inspection';
const told = (text: string) => console.log(`ok  TypeScript: ${text}`);

// Returns the response, or fails the test with the problem.
function good<T>({ data, error }: { data?: T; error?: unknown }): T {
  assert.equal(error, undefined, JSON.stringify(error));
  assert.ok(data !== undefined);
  return data;
}

function refused({ error, response }: { error?: Problem; response?: Response }, status: number, code: string): Problem {
  assert.ok(error, 'the request was not rejected');
  assert.deepEqual([response?.status, error.status, error.code], [status, status, code]);
  assert.ok(error.request_id && error.detail && error.title);
  return error;
}

async function quote(): Promise<[string | undefined, string | undefined]> {
  const body = { facts: { service_text: 'Camera inspection' }, at: '2026-11-24T15:00:00Z' };
  const { decision } = good(await ringbook.evaluate({ client, path: { rulebook }, body }));
  return [decision.price?.from, decision.price?.to];
}

async function aPrice(): Promise<Service> {
  const path = { rulebook, code };
  const service = good(await ringbook.getService({ client, path }));
  const body: Service = { ...service, price_from: '361.00', price_to: '399.00' };
  const changed = good(await ringbook.putService({ client, path, body }));
  assert.ok('price_from' in changed && changed.price_from === '361.00');
  assert.deepEqual(await quote(), ['361.00', '399.00']);
  const stale = refused(await ringbook.putService({ client, path, body }), 412, 'stale_version');
  told(`a price is changed and quoted; the old version is refused: ${stale.detail}`);
  return service;
}

async function aChangeSet(before: Service): Promise<void> {
  let set = good(await ringbook.createChangeSet({ client, path: { rulebook }, body: { comment: 'Inspection to 420' } }));
  const path = { rulebook, id: set.id };
  const { version } = good(await ringbook.getService({ client, path: { rulebook, code } }));
  const change = { resource: 'services', code, method: 'patch', body: { price_to: '420.00' }, version } as const;
  set = good(await ringbook.addChange({ client, path, query: { version: set.version }, body: change }));
  const diff = good(await ringbook.diffChangeSet({ client, path }));
  assert.ok(typeof diff !== 'string');
  assert.deepEqual(diff.rows[0]?.changes, [{ column: 'price_to', before: '399.00', after: '420.00' }]);
  const check = good(await ringbook.checkChangeSet({ client, path }));
  assert.equal(check.publishable, true, JSON.stringify(check));

  let backtest = good(await ringbook.startBacktest({ client, path: { rulebook }, body: { change_set: set.id, days: 30 } }));
  while (backtest.state === 'queued' || backtest.state === 'running') {
    backtest = good(await ringbook.getBacktest({ client, path: { rulebook, id: backtest.id } }));
  }
  assert.ok(backtest.state === 'done' && (backtest.result?.calls ?? 0) > 0, JSON.stringify(backtest));

  const published = good(await ringbook.publishChangeSet({ client, path, query: { version: set.version }, body: {} }));
  assert.ok(published.revision);
  assert.deepEqual(await quote(), ['361.00', '420.00']);
  const back = { client, path: { rulebook, number: before.version ?? 1 } };
  refused(await ringbook.rollBack({ ...back, query: { version: published.revision - 1 } }), 412, 'stale_version');
  good(await ringbook.rollBack({ ...back, query: { version: published.revision } }));
  assert.deepEqual(await quote(), [before.price_from, before.price_to]);
  told(`a change set is read, tried on ${backtest.result?.calls} calls, published, and rolled back`);
}

async function lists(): Promise<Call[]> {
  const calls: Call[] = [];
  let cursor: string | undefined;
  do {
    const page = good(await ringbook.listCalls({ client, path: { rulebook }, query: { limit: 2, cursor } }));
    calls.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  assert.ok(calls.length > 4 && new Set(calls.map((call) => call.id)).size === calls.length);
  const { items } = good(await ringbook.listDecisions({ client, path: { rulebook }, query: { limit: 1 } }));
  const id = items[0]?.id ?? '';
  const stored = good(await ringbook.getDecision({ client, path: { rulebook, id }, query: { explain: true } }));
  assert.ok(stored.decision.trace.length > 0 && stored.explanation && stored.decision.revision === stored.revision);
  told(`${calls.length} calls in pages of two; a decision is read: ${stored.decision.say || stored.decision.priority}`);
  return calls;
}

async function keys(calls: Call[]): Promise<void> {
  const body = { name: 'front desk', role: 'viewer', rulebook } as const;
  const made = good(await ringbook.createApiKey({ client, body }));
  const viewer = withKey(made.key);
  const number = calls.find((call) => call.customer_number);
  const path = { rulebook, call_id: number?.id ?? '' };
  const { call: seen } = good(await ringbook.getCall({ client: viewer, path }));
  assert.ok(number && seen.customer_number !== number.customer_number, 'a viewer sees a whole phone number');
  const code = 'camera_inspection';
  refused(await ringbook.deleteService({ client: viewer, path: { rulebook, code } }), 403, 'forbidden');
  const revoked = await ringbook.revokeApiKey({ client, path: { id: made.api_key.id } });
  assert.equal(revoked.response?.status, 204);
  refused(await ringbook.getCall({ client: viewer, path }), 401, 'unauthorized');
  told(`a viewer sees ${seen.customer_number}; its key is revoked`);
}

async function main(): Promise<void> {
  const before = await aPrice();
  await aChangeSet(before);
  await keys(await lists());
  const audit = good(await ringbook.verifyAuditLog({ client }));
  assert.equal(audit.intact, true);
  told(`the audit log holds, ${audit.entries} entries`);
}

void main();
