-- Multiplies the recorded calls to {calls} calls within the year before {until_ms}. Each copy has its own call id, ids
-- and times. Each caller calls three times. `{time X}` is the time X of a recorded row, moved to the time of the copy.
-- `{id X}` is the id of the copy of the row X (fill.rs). A line that begins with {postgres} or {sqlite} is for that
-- database only.

-- These rows are copied: the report with eight turns and the last status update of each call, and the tool calls of every twelfth call.
CREATE TABLE bench_calls AS
  SELECT c.*, row_number() OVER (ORDER BY id) - 1 AS j FROM calls c WHERE id LIKE 'simulated-%' AND report_at IS NOT NULL;
CREATE TABLE bench_events AS
  SELECT e.*, c.j FROM webhook_events e JOIN bench_calls c ON c.id = e.call_id
  WHERE e.type = 'end-of-call-report' OR e.type = 'tool-calls' AND c.j % 12 = 0 OR e.business_key LIKE '%ended%';
CREATE TABLE bench_decisions AS
  SELECT d.*, e.j FROM decisions d JOIN bench_events e ON e.id = d.event_id;
CREATE TABLE bench_tools AS SELECT t.*, e.j FROM tool_calls t JOIN bench_events e ON e.id = t.event_id;
CREATE TABLE bench_turns AS
  SELECT t.*, c.j FROM call_transcripts t JOIN bench_calls c ON c.id = t.call_id WHERE t.origin = 'report' AND t.seq < 8;
CREATE TABLE bench_leads AS SELECT l.*, c.j FROM leads l JOIN bench_calls c ON c.id = l.call_id;
CREATE TABLE bench_sms AS
  SELECT s.*, c.j, row_number() OVER (PARTITION BY s.call_id ORDER BY s.id) AS k FROM sms_messages s JOIN bench_calls c ON c.id = s.call_id;
CREATE TABLE bench_escalations AS SELECT x.*, c.j FROM escalations x JOIN bench_calls c ON c.id = x.call_id;
CREATE TABLE bench_books AS SELECT id, row_number() OVER (ORDER BY code) - 1 AS k FROM rulebooks;

-- Four rulebooks have 60, 20, 15 and 5 % of the calls. A fifth rulebook has calls only in the first week.
CREATE TABLE bench_grown AS
  WITH RECURSIVE series (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {calls})
  SELECT n, c.j, b.id AS rulebook_id, {text_id} AS call_id, CAST(CAST(n AS bigint) * 7919 % ({calls} / 3 + 1) AS int) AS caller,
    {until_ms} - {recorded_ms} - 31536000000 + CAST(31536000000.0 * n / {calls} AS bigint) AS moved_ms
  FROM series
  JOIN bench_calls c ON c.j = n % (SELECT count(*) FROM bench_calls)
  JOIN bench_books b ON b.k = CASE WHEN n < {calls} / 50 AND n % 20 = 5 THEN 4 WHEN n % 20 < 12 THEN 0 WHEN n % 20 < 16 THEN 1
    WHEN n % 20 < 19 THEN 2 ELSE 3 END
  ORDER BY n;
{postgres}ANALYZE;

INSERT INTO calls (rulebook_id, id, status, status_rank, started_at, ended_at, duration_ms, ended_reason, summary, recording_url,
    cost_micros, customer_number, customer_name, phone_number, assistant_id, address, city, postal_code, service, language, analysis,
    report_at, report_hash, quote_decision_id, first_seen_at, updated_at)
  SELECT g.rulebook_id, g.call_id, c.status, c.status_rank, {time c.started_at}, {time c.ended_at}, c.duration_ms, c.ended_reason,
    c.summary, c.recording_url, c.cost_micros, {phone}, c.customer_name || {surname}, c.phone_number, c.assistant_id,
    (1 + caller % 8999) || ' ' || c.address, c.city, c.postal_code, c.service, c.language, c.analysis, {time c.report_at}, c.report_hash,
    {id c.quote_decision_id}, {time c.first_seen_at}, {time c.updated_at}
  FROM bench_grown g CROSS JOIN bench_calls c WHERE c.j = g.j;
INSERT INTO webhook_events (rulebook_id, id, business_key, delivery_key, type, call_id, message_at, received_at, body, body_hash, answer,
    state, origin)
  SELECT g.rulebook_id, {id e.id}, replace(e.business_key, e.call_id, g.call_id) || CASE WHEN e.type = 'tool-calls' THEN n || '' ELSE '' END,
    e.delivery_key, e.type, g.call_id, {time e.message_at}, {time e.received_at}, e.body, e.body_hash, e.answer, e.state, e.origin
  FROM bench_grown g CROSS JOIN bench_events e WHERE e.j = g.j;
INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms)
  SELECT g.rulebook_id, g.call_id, t.origin, t.seq, t.role, t.text, t.offset_ms FROM bench_grown g CROSS JOIN bench_turns t WHERE t.j = g.j;
-- One report in fifty was about something else.
INSERT INTO decisions (rulebook_id, id, call_id, event_id, purpose, revision, decided_for, extracted, result, service, priority,
    price_from, price_to, degraded, duration_us, created_at)
  SELECT g.rulebook_id, {id d.id}, g.call_id, {id d.event_id}, d.purpose, 1, {time d.decided_for}, d.extracted, d.result,
    CASE WHEN n % 50 > 0 THEN d.service END, d.priority, d.price_from, d.price_to, d.degraded, d.duration_us, {time d.created_at}
  FROM bench_grown g CROSS JOIN bench_decisions d WHERE d.j = g.j;
INSERT INTO tool_calls (rulebook_id, id, tool_call_id, call_id, event_id, name, arguments, result, error, ok, duration_us, decision_id,
    dedupe_key, created_at)
  SELECT g.rulebook_id, {id t.id}, t.tool_call_id, g.call_id, {id t.event_id}, t.name, t.arguments, t.result, t.error, t.ok, t.duration_us,
    {id t.decision_id}, t.dedupe_key || n, {time t.created_at}
  FROM bench_grown g CROSS JOIN bench_tools t WHERE t.j = g.j;
INSERT INTO leads (rulebook_id, id, call_id, customer_name, customer_number, customer_email, address, city, postal_code, problem, service,
    area, currency, price_from, price_to, quote_revision, priority, sla_seconds, due_at, wanted_slot, decision_id, quote_decision_id,
    created_at, updated_at)
  SELECT g.rulebook_id, {id l.id}, g.call_id, l.customer_name || {surname}, {phone}, l.customer_email,
    (1 + caller % 8999) || ' ' || l.address, l.city, l.postal_code, l.problem, l.service, l.area, l.currency, l.price_from, l.price_to, 1,
    l.priority, l.sla_seconds, {time l.due_at}, l.wanted_slot, {id l.decision_id}, {id l.quote_decision_id}, {time l.created_at},
    {time l.updated_at}
  FROM bench_grown g CROSS JOIN bench_leads l WHERE l.j = g.j;
INSERT INTO sms_messages (rulebook_id, id, dedupe_key, call_id, decision_id, contact, template, rule, priority, to_number, body, reference,
    state, attempts, next_attempt_at, provider_id, provider_status, created_at, updated_at)
  SELECT g.rulebook_id, {id s.id}, g.call_id || '/' || k, g.call_id, {id s.decision_id}, s.contact, s.template, s.rule, s.priority,
    s.to_number, s.body, s.reference, CASE WHEN n % 200 = 0 THEN 'dead' ELSE 'delivered' END, 1, {time s.next_attempt_at},
    'SM' || g.call_id, 'delivered', {time s.created_at}, {time s.updated_at}
  FROM bench_grown g CROSS JOIN bench_sms s WHERE s.j = g.j;
INSERT INTO sms_attempts (rulebook_id, sms_message_id, number, started_at, finished_at, outcome, http_status)
  SELECT g.rulebook_id, {id s.id}, 1, {time s.created_at}, {time s.created_at}, 'accepted', 201
  FROM bench_grown g CROSS JOIN bench_sms s WHERE s.j = g.j;
-- Nine of ten escalated calls were acknowledged.
INSERT INTO escalations (rulebook_id, id, call_id, decision_id, template, after_s, step, told, started_at, acknowledged_at,
    acknowledged_by, acknowledged_how)
  SELECT g.rulebook_id, {id x.id}, g.call_id, {id x.decision_id}, x.template, x.after_s, 3, x.told, {time x.started_at},
    CASE WHEN n % 10 > 0 THEN {time x.started_at} END, CASE WHEN n % 10 > 0 THEN 'marc' END, CASE WHEN n % 10 > 0 THEN 'reply' END
  FROM bench_grown g CROSS JOIN bench_escalations x WHERE x.j = g.j;
-- One message in a thousand names no call, and a tenth of these messages could not be processed. One caller in a
-- thousand replied by SMS.
INSERT INTO webhook_events (rulebook_id, id, business_key, delivery_key, type, received_at, body, body_hash, answer, state, origin)
  SELECT g.rulebook_id, {new_id}, '-/loose/' || n, e.delivery_key, e.type, {time e.received_at}, e.body, e.body_hash, e.answer,
    CASE WHEN n % 10000 = 0 THEN 'poisoned' ELSE 'recorded' END, 'live'
  FROM bench_grown g CROSS JOIN bench_events e WHERE e.j = g.j AND e.type = 'end-of-call-report' AND n % 1000 = 0;
INSERT INTO inbound_sms_messages (rulebook_id, id, provider_id, from_number, to_number, body, received_at)
  SELECT g.rulebook_id, {new_id}, 'SM' || n, {phone}, '+15145550100', 'ok', {time c.first_seen_at}
  FROM bench_grown g CROSS JOIN bench_calls c WHERE c.j = g.j AND n % 1000 = 0;
INSERT INTO notices (rulebook_id, id, code, severity, subject, text, what_to_do, first_at, last_at, resolved_at)
  SELECT g.rulebook_id, {new_id}, 'sms_given_up', 'warning', 'contact ' || n, 'An SMS message was given up.', 'Call the contact.',
    {time c.first_seen_at}, {time c.first_seen_at}, CASE WHEN n % 20000 > 0 THEN {time c.first_seen_at} END
  FROM bench_grown g CROSS JOIN bench_calls c WHERE c.j = g.j AND n % 100 = 0;
INSERT INTO rule_hits (rulebook_id, day, revision, resource, code, hits, last_at)
  SELECT b.id, substr(CAST({time c.first_seen_at} AS text), 1, 10), 1, 'services', s.code, count(*), min({time c.first_seen_at})
  FROM bench_grown g CROSS JOIN bench_calls c CROSS JOIN bench_books b CROSS JOIN services s
  WHERE c.j = g.j AND n % ({calls} / 1000 + 1) = 0 AND s.rulebook_id = b.id AND s.until_revision IS NULL GROUP BY 1, 2, 5;
INSERT INTO rule_hits (rulebook_id, day, revision, resource, code, hits, last_at)
  SELECT rulebook_id, day, 1, 'decisions', '', sum(hits), min(last_at) FROM rule_hits WHERE resource = 'services' GROUP BY 1, 2;

DROP TABLE bench_calls;
DROP TABLE bench_events;
DROP TABLE bench_decisions;
DROP TABLE bench_tools;
DROP TABLE bench_turns;
DROP TABLE bench_leads;
DROP TABLE bench_sms;
DROP TABLE bench_escalations;
DROP TABLE bench_books;
DROP TABLE bench_grown;
DROP TABLE bench_ids;
{postgres}VACUUM ANALYZE;
{sqlite}ANALYZE;
