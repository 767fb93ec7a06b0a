-- Decisions about messages, leads to call back, and people's feedback on wrong decisions.

CREATE TABLE decisions (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  call_id text, event_id {uuid} NOT NULL,
  purpose text NOT NULL,
  revision bigint NOT NULL,
  decided_for {time} NOT NULL,
  extracted {json} NOT NULL, result {json} NOT NULL,
  service text, priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  price_from bigint, price_to bigint,
  -- whether the decision was made without a script, or without the database
  degraded boolean NOT NULL,
  duration_us bigint NOT NULL,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, revision) REFERENCES revisions (rulebook_id, number),
  FOREIGN KEY (rulebook_id, event_id) REFERENCES webhook_events (rulebook_id, id)
);
-- These columns use lz4 for the same reason as the raw bodies in m05.
{postgres}DO $$ BEGIN
{postgres}  ALTER TABLE decisions ALTER COLUMN extracted SET COMPRESSION lz4, ALTER COLUMN result SET COMPRESSION lz4;
{postgres}EXCEPTION WHEN feature_not_supported THEN
{postgres}  RAISE NOTICE 'this server was built without lz4: decisions are compressed with pglz';
{postgres}END $$;
-- For the list over all rulebooks, newest first.
{postgres}CREATE INDEX decisions_id ON decisions (id, rulebook_id, service, priority, purpose, revision);
{sqlite}CREATE INDEX decisions_id ON decisions (rulebook_id, id, service, priority, purpose, revision);
CREATE INDEX decisions_degraded ON decisions (rulebook_id, id) WHERE degraded;
-- For decisions that found no service.
CREATE INDEX decisions_unmatched ON decisions (rulebook_id, id) WHERE service IS NULL;
-- For statistics by time.
CREATE INDEX decisions_created ON decisions (created_at, rulebook_id, priority);
CREATE INDEX decisions_simulated ON decisions (created_at, rulebook_id, priority) WHERE call_id LIKE 'simulated-%';
-- For reading and erasing the data of a call.
CREATE INDEX decisions_call ON decisions (call_id, rulebook_id);
-- Without this index, purging an event would read all decisions of its rulebook.
CREATE INDEX decisions_event ON decisions (event_id, rulebook_id);

CREATE TABLE leads (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL, call_id text NOT NULL,
  customer_name text, customer_number text, customer_email text, address text, city text, postal_code text,
  problem text, service text, area text,
  currency text, price_from bigint, price_to bigint, quote_revision bigint,
  priority text CHECK (priority IN ('P1', 'P2', 'P3', 'P4')), sla_seconds bigint, due_at {time},
  wanted_slot text, decision_id {uuid}, quote_decision_id {uuid},
  -- Why no SMS message was sent. `late`: the lead came too late. `capped`: the daily cap was reached.
  late boolean NOT NULL DEFAULT {false}, capped boolean NOT NULL DEFAULT {false},
  created_at {time} NOT NULL, updated_at {time} NOT NULL, erased_at {time},
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, call_id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
-- For the list over all rulebooks, newest first.
{postgres}CREATE INDEX leads_id ON leads (id, rulebook_id, created_at, priority, service, area);
{sqlite}CREATE INDEX leads_id ON leads (rulebook_id, id, created_at, priority, service, area);
CREATE INDEX leads_late ON leads (rulebook_id, id) WHERE late;
CREATE INDEX leads_capped ON leads (rulebook_id, id) WHERE capped;
-- For statistics by time.
CREATE INDEX leads_created ON leads (created_at, rulebook_id, priority);
CREATE INDEX leads_simulated ON leads (rulebook_id, id, created_at, priority) WHERE call_id LIKE 'simulated-%';
-- For the search by phone number, like calls_number in m05.
{postgres}CREATE INDEX leads_number ON leads (right(translate(customer_number, translate(customer_number, '0123456789', ''), ''), 8), rulebook_id)
{postgres}  WHERE customer_number IS NOT NULL;
{sqlite}CREATE INDEX leads_number ON leads (substr(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(customer_number, ' ', ''), '-', ''), '.', ''), '(', ''), ')', ''), '+', ''), '/', ''), ' ', ''), -8), rulebook_id)
{sqlite}  WHERE customer_number IS NOT NULL;
{sqlite}CREATE INDEX leads_odd_number ON leads (rulebook_id, call_id) WHERE customer_number GLOB '*[^0-9 .()+/-]*';

CREATE TABLE decision_feedback (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  call_id text NOT NULL,
  -- the decision that the feedback is about
  decision_id {uuid} NOT NULL,
  -- The right values. A column is NULL if the decision's value was right, or if the feedback does not name a value.
  service text, priority text CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  -- the right total with taxes, in minor units
  total bigint CHECK (total >= 0),
  comment text,
  author text NOT NULL,
  created_at {time} NOT NULL,
  resolved_at {time}, resolved_by text, resolution text CHECK (resolution IN ('case', 'dismissed')), resolution_comment text,
  -- The case that was made from the feedback. If the case was not published at once, change_set_id is the change set
  -- that contains the case.
  case_code text, change_set_id {uuid},
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
CREATE INDEX decision_feedback_call ON decision_feedback (rulebook_id, call_id);
CREATE INDEX decision_feedback_open ON decision_feedback (rulebook_id, id) WHERE resolved_at IS NULL;
