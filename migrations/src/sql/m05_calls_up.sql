-- Vapi's messages, the calls that they are about, what was said and which tools were called.
--
-- The rulebook comes last in the indexes of large tables. If an index began with it, a planner without statistics would
-- take it for as good as the primary key, and each check of a foreign key would read all calls of the rulebook. SQLite checks
-- foreign keys by the primary key only, and needs the rulebook first to read a list in its order.
--
-- An index that a list is read from ends with the columns that it is filtered by: a filter that few rows match, or none, then reads
-- the index alone. That costs a message less than an index for each filter.

CREATE TABLE webhook_events (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  -- what makes it the same message again; an amendment's ends in the hash of its body
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
  -- how it came: live, drained from the spool, reconciled with Vapi's list of calls, or replayed
  origin text NOT NULL DEFAULT 'live',
  -- why it was set aside, in words of our own
  set_aside text,
  -- whether there may be no call for it: it names none, or it was the first message of its call and does not record the call
  without_call boolean NOT NULL DEFAULT {false},
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, business_key)
);
-- The list over all rulebooks, newest first.
CREATE INDEX webhook_events_id ON webhook_events (id, rulebook_id, received_at);
-- Its filters. There are several events a call, too many to read the index above for a rare type.
CREATE INDEX webhook_events_type ON webhook_events (type, id, rulebook_id);
CREATE INDEX webhook_events_state ON webhook_events (state, id, rulebook_id) WHERE state <> 'recorded';
CREATE INDEX webhook_events_origin ON webhook_events (origin, id, rulebook_id) WHERE origin <> 'live';
CREATE INDEX webhook_events_call ON webhook_events (call_id, rulebook_id);
-- Those in which the number of an erased caller is looked for.
CREATE INDEX webhook_events_without_call ON webhook_events (rulebook_id, id) WHERE without_call AND body IS NOT NULL;
CREATE INDEX webhook_events_amends ON webhook_events (amends, rulebook_id) WHERE amends IS NOT NULL;
-- lz4 compresses raw bodies with less work. A server that was built without it keeps its usual compression.
{postgres}DO $$ BEGIN
{postgres}  ALTER TABLE webhook_events ALTER COLUMN body SET COMPRESSION lz4;
{postgres}EXCEPTION WHEN feature_not_supported THEN
{postgres}  RAISE NOTICE 'this server was built without lz4: bodies are compressed with pglz';
{postgres}END $$;

CREATE TABLE calls (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id text NOT NULL,
  status text NOT NULL,
  -- only rises, so that a late message does not move the status back
  status_rank bigint NOT NULL,
  started_at {time}, ended_at {time}, duration_ms bigint, ended_reason text,
  summary text, recording_url text, cost_micros bigint,
  customer_number text, customer_name text, phone_number text, assistant_id text,
  address text, city text, postal_code text, service text, language text,
  analysis {json},
  -- which report the record follows: the one with the greatest (time, hash)
  report_at {time}, report_hash {bytes},
  -- the last quote spoken in the call
  quote_decision_id {uuid},
  first_seen_at {time} NOT NULL,
  updated_at {time} NOT NULL,
  erased_at {time},
  PRIMARY KEY (rulebook_id, id)
);
{postgres}CREATE INDEX calls_first_seen ON calls (first_seen_at, rulebook_id, service, language);
{sqlite}CREATE INDEX calls_first_seen ON calls (rulebook_id, first_seen_at, id, service, language, status);
-- Calls without a report: all that have not ended.
CREATE INDEX calls_unreported ON calls (rulebook_id, first_seen_at) WHERE report_at IS NULL;
CREATE INDEX calls_simulated ON calls (rulebook_id, first_seen_at) WHERE id LIKE 'simulated-%';
-- The last eight digits of the caller's number, in any notation (store/search.rs).
{postgres}CREATE INDEX calls_number ON calls (right(translate(customer_number, translate(customer_number, '0123456789', ''), ''), 8), rulebook_id)
{postgres}  WHERE customer_number IS NOT NULL;
{sqlite}CREATE INDEX calls_number ON calls (substr(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(customer_number, ' ', ''), '-', ''), '.', ''), '(', ''), ')', ''), '+', ''), '/', ''), ' ', ''), -8), rulebook_id)
{sqlite}  WHERE customer_number IS NOT NULL;
-- Numbers with anything else between their digits, of which SQLite cannot index the digits.
{sqlite}CREATE INDEX calls_odd_number ON calls (rulebook_id, id) WHERE customer_number GLOB '*[^0-9 .()+/-]*';
-- The filter `analysis` of the list of calls; SQLite has no index for containment.
{postgres}CREATE INDEX calls_analysis ON calls USING gin (analysis jsonb_path_ops);

CREATE TABLE call_transcripts (
  rulebook_id {uuid} NOT NULL, call_id text NOT NULL,
  -- the report's turns replace those heard live
  origin text NOT NULL CHECK (origin IN ('live', 'report')),
  seq bigint NOT NULL,
  role text NOT NULL, text text NOT NULL, offset_ms bigint,
  -- No foreign key: each turn is written in the transaction that holds its call, and a check for each costs a report more
  -- than all its other checks.
  PRIMARY KEY (rulebook_id, call_id, origin, seq)
);

CREATE TABLE tool_calls (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  tool_call_id text NOT NULL, call_id text, event_id {uuid} NOT NULL,
  name text NOT NULL, arguments {json} NOT NULL, result text, error text, ok boolean NOT NULL, duration_us bigint NOT NULL,
  decision_id {uuid},
  -- what makes it the same again: the hash of its call, chat or session, its id, its name and its arguments
  dedupe_key text,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id),
  FOREIGN KEY (rulebook_id, event_id) REFERENCES webhook_events (rulebook_id, id)
);
CREATE UNIQUE INDEX tool_calls_same ON tool_calls (rulebook_id, dedupe_key);
-- What belongs to a call.
CREATE INDEX tool_calls_call ON tool_calls (call_id, rulebook_id) WHERE call_id IS NOT NULL;
-- Without it, each event that is purged would have all tool calls of its rulebook read.
CREATE INDEX tool_calls_event ON tool_calls (event_id, rulebook_id);
