// A peer of Ringbook for benches/report_path: a webhook in Node with hard-coded rules. It verifies the signature of an
// end-of-call report, decides the priority and the price, and writes all rows of the report with one prepared statement.
// It does much less than Ringbook: its rules are code, and it has no outbox worker, no fallback and no admin API.
//
// DATABASE_URL, PORT, SECRET and WORKERS (processes) set it up. The primary process creates the tables.
import cluster from 'node:cluster';
import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import pg from 'pg';

const { DATABASE_URL, PORT, SECRET, WORKERS } = process.env;
const MAX_BODY = 1 << 20;
const REPLAY_WINDOW_S = 300;

const SCHEMA = `
CREATE SCHEMA IF NOT EXISTS peer;
CREATE TABLE IF NOT EXISTS peer.events (id uuid PRIMARY KEY, key text NOT NULL UNIQUE, call_id text, received_at timestamptz NOT NULL,
  body text NOT NULL, body_hash bytea NOT NULL);
CREATE TABLE IF NOT EXISTS peer.calls (id text PRIMARY KEY, started_at timestamptz, ended_at timestamptz, ended_reason text, number text,
  name text, summary text, recording_url text, analysis jsonb, updated_at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS peer.turns (call_id text NOT NULL, seq bigint NOT NULL, role text NOT NULL, text text NOT NULL, offset_ms bigint,
  PRIMARY KEY (call_id, seq));
CREATE TABLE IF NOT EXISTS peer.decisions (id uuid PRIMARY KEY, call_id text NOT NULL, result jsonb NOT NULL, service text, priority text NOT NULL,
  price_from bigint, price_to bigint, created_at timestamptz NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_call ON peer.decisions (call_id);
CREATE TABLE IF NOT EXISTS peer.leads (call_id text PRIMARY KEY, id uuid NOT NULL UNIQUE, name text, number text, address text, postal_code text,
  problem text, service text, priority text NOT NULL, price_from bigint, price_to bigint, created_at timestamptz NOT NULL);
CREATE INDEX IF NOT EXISTS leads_created ON peer.leads (created_at);
CREATE TABLE IF NOT EXISTS peer.sms (id uuid PRIMARY KEY, key text NOT NULL UNIQUE, call_id text NOT NULL, to_number text NOT NULL,
  body text NOT NULL, state text NOT NULL, next_attempt_at timestamptz NOT NULL);
CREATE INDEX IF NOT EXISTS sms_due ON peer.sms (next_attempt_at) WHERE state = 'queued';
`;

const WRITE = `
WITH event AS (INSERT INTO peer.events VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO NOTHING RETURNING id),
call AS (INSERT INTO peer.calls SELECT $3, $7::timestamptz, $8::timestamptz, $9, $10, $11, $12, $13, $14::jsonb, $4 FROM event
  ON CONFLICT (id) DO UPDATE SET summary = excluded.summary, analysis = excluded.analysis, updated_at = excluded.updated_at),
turns AS (INSERT INTO peer.turns SELECT $3, t.seq, t.role, t.text, t.offset_ms FROM event,
  jsonb_to_recordset($15::jsonb) AS t (seq bigint, role text, text text, offset_ms bigint) ON CONFLICT DO NOTHING),
decision AS (INSERT INTO peer.decisions SELECT id, $3, $16::jsonb, $17, $18, $19::bigint, $20::bigint, $4 FROM event),
lead AS (INSERT INTO peer.leads SELECT $3, id, $11, $10, $21, $22, $23, $17, $18, $19::bigint, $20::bigint, $4 FROM event
  ON CONFLICT (call_id) DO NOTHING)
INSERT INTO peer.sms SELECT $24::uuid, 'call-' || $3, $3, '+15145550199', $25, 'queued', $4 FROM event WHERE $25::text IS NOT NULL
  ON CONFLICT (key) DO NOTHING`;

// code, words, price from and to in dollars
const SERVICES = [
  ['pipe_lining', ['gainage', 'chemisage', 'relining', 'lining'], 3900, 8000],
  ['french_drain', ['drain francais', 'french drain'], 500, 800],
  ['cleanout', ['cheminee', 'cleanout'], 2500, 2500],
  ['under_slab', ['sous dalle', 'sous la dalle', 'under slab', 'under the slab'], 350, 1000],
  ['root_removal', ['racine', 'alesage', 'root'], 450, 750],
  ['drain_unblocking', ['bouche', 'clog', 'blocked', 'blockage', 'slow drain', 'refoul', 'descend plus'], 350, 650],
  ['camera_inspection', ['inspect', 'camera'], 350, 350],
];
const EMERGENCY = ['inond', 'flood', 'refoul', 'backup', 'sewage', "d'eau", 'inches of water'];

const folded = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase();
const cents = (dollars) => Math.max(Math.round(dollars), 350) * 100;

/** Decides a call by hard-coded rules: the service, the price range in cents, the priority. */
function decide(said, facts, at) {
  const service = SERVICES.find(([, words]) => words.some((word) => said.includes(word)));
  const emergency = EMERGENCY.some((word) => said.includes(word));
  const trace = [];
  let price = null;
  if (service) {
    const postal = (facts.postalCode ?? '').replace(/[^a-z0-9]/gi, '').toUpperCase();
    let [extra, factor] = [0, 1];
    const add = (rule, amount) => { trace.push({ rule, amount }); extra += amount; };
    if (postal.startsWith('J4')) add('south_shore', 100);
    if (at.getHours() >= 18 || at.getDay() % 6 === 0) add('evening_or_weekend', facts.urgency === 'urgent' ? 75 : 50);
    if (facts.complexity === 'complex') factor = 1.3;
    if (facts.complexity === 'very_complex') factor = 1.6;
    const quantity = service[0] === 'french_drain' ? Number(facts.metres ?? 1) : 1;
    price = [cents((service[2] * quantity + extra) * factor), cents((service[3] * quantity + extra) * factor)];
  }
  const priority = emergency ? 'P1' : price?.[1] >= 300_000 ? 'P3' : 'P4';
  return { service: service?.[0] ?? null, price, priority, trace };
}

function isSigned(headers, body) {
  const [signature, timestamp] = [headers['x-signature'], headers['x-timestamp']];
  if (typeof signature !== 'string' || !(Math.abs(Date.now() / 1000 - Number(timestamp)) <= REPLAY_WINDOW_S)) return false;
  const expected = createHmac('sha256', SECRET).update(`${timestamp}.`).update(body).digest();
  const given = Buffer.from(signature, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function record(pool, body) {
  const { message } = JSON.parse(body);
  const { artifact, analysis, call, customer } = message;
  const turns = artifact.messages.filter(({ role }) => role !== 'system')
    .map(({ role, message: text, secondsFromStart }, seq) => ({ seq, role, text, offset_ms: Math.round(secondsFromStart * 1000) }));
  const said = folded(turns.filter(({ role }) => role === 'user').map(({ text }) => text).join('\n'));
  const [facts, now] = [analysis.structuredData ?? {}, new Date()];
  const { service, price, priority, trace } = decide(said, facts, now);
  const sms = priority === 'P1' ? `P1 ${service ?? 'call'}: ${facts.customerName}, ${facts.address}, ${customer.number}` : null;
  await pool.query({
    name: 'write', text: WRITE, values: [
      randomUUID(), `${call.id}/${message.type}`, call.id, now, body.toString(), createHash('sha256').update(body).digest(),
      message.startedAt, message.endedAt, message.endedReason, customer.number, customer.name, analysis.summary, message.recordingUrl,
      JSON.stringify(facts), JSON.stringify(turns), JSON.stringify({ service, price, priority, trace }), service, priority,
      price?.[0] ?? null, price?.[1] ?? null, facts.address, facts.postalCode, facts.problemDescription, randomUUID(), sms,
    ],
  });
}

function serve() {
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 8 });
  const respond = (response, status, text) => response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length }).end(text);
  createServer((request, response) => {
    if (request.method === 'GET') return respond(response, 200, '{}');
    const [pieces, length] = [[], Number(request.headers['content-length'])];
    if (!(length <= MAX_BODY)) return respond(response, 413, '{}');
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', async () => {
      const body = Buffer.concat(pieces);
      if (!isSigned(request.headers, body)) return respond(response, 401, '{}');
      try {
        await record(pool, body);
        respond(response, 200, '{}');
      } catch (error) {
        console.error(error);
        respond(response, 500, '{}');
      }
    });
  }).listen(Number(PORT), '127.0.0.1');
}

if (cluster.isPrimary) {
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  await client.query(SCHEMA);
  await client.end();
  for (let worker = 0; worker < Number(WORKERS); worker += 1) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  serve();
}
