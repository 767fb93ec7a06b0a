-- Vapi's messages, and the calls, transcripts and tool calls from them.
--
-- In the indexes of large tables, rulebook_id comes after the columns that select rows. If an index began with
-- rulebook_id, a PostgreSQL planner without statistics would prefer this index to the primary key. Then each foreign
-- key check would read all calls of the rulebook. SQLite checks foreign keys only through the primary key. So the
-- indexes for lists in SQLite begin with rulebook_id, which lets SQLite read a list in its order.
--
-- An index for a list ends with the columns of the list's filters. A query whose filter matches few rows or none then
-- reads only the index. The insert of a message is cheaper with one such index than with one index per filter.

CREATE TABLE webhook_events (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  -- The key is the same for every repeat of a message. The key of an amendment ends with the hash of its body.
  business_key text NOT NULL,
  delivery_key text NOT NULL,
  type text NOT NULL,
  call_id text,
  message_at {time},
  received_at {time} NOT NULL,
  body {bytes},
  body_hash {bytes} NOT NULL,
  answer {json} NOT NULL,
  state text NOT NULL CHECK (state IN ('recorded', 'amendment', 'unreadable', 'poisoned')),
  amends {uuid},
  -- How the event arrived: live, drained from the spool, reconciled with Vapi's list of calls, or replayed.
  origin text NOT NULL DEFAULT 'live',
  -- why the event was dead-lettered, without any content of the message
  set_aside text,
  -- Whether the event may have no row in calls. True for a message that names no call. Also true if the call had no row
  -- before and a message of this type does not create a row.
  without_call boolean NOT NULL DEFAULT {false},
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, business_key)
);
-- For the list over all rulebooks, newest first.
CREATE INDEX webhook_events_id ON webhook_events (id, rulebook_id, received_at);
-- For the filters of that list. A call has several events, so a scan of the index above would take too long for a rare
-- type.
CREATE INDEX webhook_events_type ON webhook_events (type, id, rulebook_id);
CREATE INDEX webhook_events_state ON webhook_events (state, id, rulebook_id) WHERE state <> 'recorded';
CREATE INDEX webhook_events_origin ON webhook_events (origin, id, rulebook_id) WHERE origin <> 'live';
CREATE INDEX webhook_events_call ON webhook_events (call_id, rulebook_id);
-- For the erasure of a caller, which searches these events for the caller's number.
CREATE INDEX webhook_events_without_call ON webhook_events (rulebook_id, id) WHERE without_call AND body IS NOT NULL;
CREATE INDEX webhook_events_amends ON webhook_events (amends, rulebook_id) WHERE amends IS NOT NULL;
-- lz4 compresses raw bodies with less CPU time than the default. A server without lz4 keeps its default compression.
{postgres}DO $$ BEGIN
{postgres}  ALTER TABLE webhook_events ALTER COLUMN body SET COMPRESSION lz4;
{postgres}EXCEPTION WHEN feature_not_supported THEN
{postgres}  RAISE NOTICE 'this server was built without lz4: bodies are compressed with pglz';
{postgres}END $$;

CREATE TABLE calls (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id text NOT NULL,
  status text NOT NULL,
  -- never decreases, so that a late message does not reset the status
  status_rank bigint NOT NULL,
  started_at {time}, ended_at {time}, duration_ms bigint, ended_reason text,
  summary text, recording_url text, cost_micros bigint,
  customer_number text, customer_name text, phone_number text, assistant_id text,
  address text, city text, postal_code text, service text, language text,
  analysis {json},
  -- The time and hash of the report that filled the row. If a call has several reports, the report with the greatest
  -- (time, hash) wins.
  report_at {time}, report_hash {bytes},
  -- the decision with the last quote that the caller heard
  quote_decision_id {uuid},
  first_seen_at {time} NOT NULL,
  updated_at {time} NOT NULL,
  erased_at {time},
  PRIMARY KEY (rulebook_id, id)
);
{postgres}CREATE INDEX calls_first_seen ON calls (first_seen_at, rulebook_id, service, language);
{sqlite}CREATE INDEX calls_first_seen ON calls (rulebook_id, first_seen_at, id, service, language, status);
-- For calls without a report. These include every call that has not ended.
CREATE INDEX calls_unreported ON calls (rulebook_id, first_seen_at) WHERE report_at IS NULL;
CREATE INDEX calls_simulated ON calls (rulebook_id, first_seen_at) WHERE id LIKE 'simulated-%';
-- For the search by phone number: the last eight digits of the caller's number. src/store/src/search.rs uses the same
-- expression.
{postgres}CREATE INDEX calls_number ON calls (right(translate(customer_number, translate(customer_number, '0123456789', ''), ''), 8), rulebook_id)
{postgres}  WHERE customer_number IS NOT NULL;
{sqlite}CREATE INDEX calls_number ON calls (substr(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(customer_number, ' ', ''), '-', ''), '.', ''), '(', ''), ')', ''), '+', ''), '/', ''), ' ', ''), -8), rulebook_id)
{sqlite}  WHERE customer_number IS NOT NULL;
-- For calls whose number contains other characters than the index above removes. SQLite cannot index the digits of such
-- a number.
{sqlite}CREATE INDEX calls_odd_number ON calls (rulebook_id, id) WHERE customer_number GLOB '*[^0-9 .()+/-]*';
-- For the filter `analysis` of the list of calls. SQLite has no index for containment.
{postgres}CREATE INDEX calls_analysis ON calls USING gin (analysis jsonb_path_ops);

CREATE TABLE call_transcripts (
  rulebook_id {uuid} NOT NULL, call_id text NOT NULL,
  -- the report's turns replace the live turns
  origin text NOT NULL CHECK (origin IN ('live', 'report')),
  seq bigint NOT NULL,
  role text NOT NULL, text text NOT NULL, offset_ms bigint,
  -- There is no foreign key to calls, because the transaction that writes a turn has already locked the row of the
  -- call. Checking each turn would cost a report more than all its other checks.
  PRIMARY KEY (rulebook_id, call_id, origin, seq)
);

CREATE TABLE tool_calls (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  tool_call_id text NOT NULL, call_id text, event_id {uuid} NOT NULL,
  name text NOT NULL, arguments {json} NOT NULL, result text, error text, ok boolean NOT NULL, duration_us bigint NOT NULL,
  decision_id {uuid},
  -- The key is the same for every repeat of a tool call. The key is a hash of the call, chat or session, and of the id,
  -- name and arguments of the tool call.
  dedupe_key text,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id),
  FOREIGN KEY (rulebook_id, event_id) REFERENCES webhook_events (rulebook_id, id)
);
CREATE UNIQUE INDEX tool_calls_same ON tool_calls (rulebook_id, dedupe_key);
-- For reading and erasing the data of a call.
CREATE INDEX tool_calls_call ON tool_calls (call_id, rulebook_id) WHERE call_id IS NOT NULL;
-- Without this index, purging an event would read all tool calls of its rulebook.
CREATE INDEX tool_calls_event ON tool_calls (event_id, rulebook_id);
