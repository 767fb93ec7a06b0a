// Ten boards under load: nine clients that act like the page's script, and one real browser. About fifty messages per
// second arrive for SECONDS (600). Each P1 must appear on the browser's board within a second after Vapi got its response.
// No client loses the connection, and neither the server's memory nor the page's memory grows with time.
//
// It reads RINGBOOK (the program), RINGBOOK_URL, RINGBOOK_ADMIN_KEY, RINGBOOK_VAPI_SECRET, SERVER_PID and SECONDS. It
// prints the figures.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { RINGBOOK_ADMIN_KEY, RINGBOOK_URL, end, open, signIn, told } from './console_window.mjs';

const { RINGBOOK, RINGBOOK_VAPI_SECRET, SERVER_PID, SECONDS = '600' } = process.env;
const BOARDS = 9;
// A simulated call has about twenty messages.
const CALLS_PER_SECOND = 2.5;
const MAX_LATENCY_MS = 1_000;
const MAX_GROWTH = 1.3;
const P1_EVERY_MS = 5_000;

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const report = (call, name) => ({
  message: {
    type: 'end-of-call-report',
    timestamp: Date.now(),
    startedAt: new Date(Date.now() - 60_000).toISOString(),
    endedAt: new Date().toISOString(),
    endedReason: 'customer-ended-call',
    call: { id: call, type: 'inboundPhoneCall' },
    customer: { number: '+14385550177', name },
    analysis: { structuredData: { customerName: name, city: 'Montréal' } },
    artifact: { messages: [{ role: 'user', message: 'Mon sous-sol est inondé, il y a un refoulement.', time: Date.now() - 50_000 }] },
  },
});

const post = async (message) => {
  const headers = { 'Content-Type': 'application/json', 'X-Vapi-Secret': RINGBOOK_VAPI_SECRET };
  const response = await fetch(`${RINGBOOK_URL}/webhooks/vapi`, { method: 'POST', headers, body: JSON.stringify(message) });
  assert.equal(response.status, 200, await response.text());
};

// A board without a browser: it listens for events, and reads its main part after each change, as console.js does.
const counts = { events: 0, loads: 0, lost: 0 };
const board = async (until) => {
  const signedIn = await fetch(`${RINGBOOK_URL}/console/login`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ key: RINGBOOK_ADMIN_KEY }),
  });
  const Cookie = signedIn.headers.get('set-cookie').split(';')[0];
  let tag = '';
  let loaded = 0;
  let isPending = false;
  const load = async () => {
    if (isPending) return;
    isPending = true;
    await wait(Math.max(0, loaded + 400 - Date.now()));
    isPending = false;
    loaded = Date.now();
    const response = await fetch(`${RINGBOOK_URL}/console?part=main`, { headers: { Cookie, ...(tag && { 'If-None-Match': tag }) } });
    await response.arrayBuffer();
    counts.loads += 1;
    if (response.status !== 200 && response.status !== 304) counts.lost += 1;
    tag = response.headers.get('etag') ?? tag;
  };
  while (Date.now() < until) {
    const stream = await fetch(`${RINGBOOK_URL}/console/live.events`, { headers: { Cookie }, signal: AbortSignal.timeout(until - Date.now() + 1) });
    assert.equal(stream.status, 200);
    try {
      for await (const piece of stream.body) {
        const events = Buffer.from(piece).toString().split('event: changed').length - 1;
        counts.events += events;
        if (events) load().catch(() => (counts.lost += 1));
      }
    } catch (error) {
      if (error.name !== 'TimeoutError') throw error;
    }
  }
};

// Resident memory of the server, in MB.
const memory = async () => Number((await readFile(`/proc/${SERVER_PID}/status`, 'utf8')).match(/VmRSS:\s+(\d+)/)[1]) / 1024;

const { context, page } = await open();
await signIn(page);
const heap = async () => (await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0)) / 1e6;
const until = Date.now() + Number(SECONDS) * 1_000;
const count = String(Math.ceil(CALLS_PER_SECOND * Number(SECONDS)));
const options = ['simulate', '--url', RINGBOOK_URL, '--secret', RINGBOOK_VAPI_SECRET, '--rate', String(CALLS_PER_SECOND), '--count', count, '--quiet', '--json'];
const load = spawn(RINGBOOK, options, { stdio: ['ignore', 'pipe', 'inherit'] });
let summary = '';
load.stdout.on('data', (piece) => (summary += piece));
const boards = Array.from({ length: BOARDS }, () => board(until));

const latencies = [];
const sizes = [];
for (let nth = 0; Date.now() < until; nth += 1) {
  const name = `Appelante ${nth}`;
  await post(report(`live-${process.pid}-${nth}`, name));
  const answered = Date.now();
  await page.waitForFunction((text) => document.getElementById('main').innerText.includes(text), name, { timeout: 10_000, polling: 20 });
  latencies.push(Date.now() - answered);
  sizes.push([await memory(), await heap()]);
  await wait(Math.max(0, answered + P1_EVERY_MS - Date.now()));
}
await Promise.all(boards);
load.kill('SIGINT');
latencies.sort((a, b) => a - b);
const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
// The first third warms caches and fills the board.
const third = Math.ceil(sizes.length / 3);
const mean = (values, which) => values.reduce((sum, size) => sum + size[which], 0) / values.length;
const growth = [0, 1].map((which) => mean(sizes.slice(-third), which) / mean(sizes.slice(third, 2 * third), which));
told(`${latencies.length} P1 on the board after ${at(0.5)} ms (p50), ${at(0.99)} ms (p99)`);
told(`${BOARDS + 1} boards for ${SECONDS} s: ${counts.events} events, ${counts.loads} loads, ${counts.lost} lost; ${summary.trim()}`);
told(`memory, last third to the one before: server ${growth[0].toFixed(2)} (${sizes.at(-1)[0].toFixed(0)} MB), page ${growth[1].toFixed(2)}`);
assert.ok(at(0.99) <= MAX_LATENCY_MS, 'a P1 was late on the board');
assert.equal(counts.lost, 0, 'a board lost the connection');
assert.ok(growth.every((one) => one <= MAX_GROWTH), 'memory grows');
await context.close();
await end();
