-- SMS messages: the outbox, Twilio's statuses, and replies.

CREATE TABLE sms_messages (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  -- made from call, contact and template, so that each combination gets only one SMS message
  dedupe_key text NOT NULL,
  call_id text, decision_id {uuid}, contact text NOT NULL, template text NOT NULL,
  -- the priority rule that requested the message
  rule text,
  priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  to_number text NOT NULL, body text NOT NULL, reference text NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'delivered', 'undelivered', 'ambiguous', 'dead', 'simulated')),
  attempts bigint NOT NULL DEFAULT 0, next_attempt_at {time} NOT NULL,
  -- A manual resend starts a new series of attempts. series_from is the number of attempts before the resend, and
  -- resent_at is the time of the resend.
  series_from bigint NOT NULL DEFAULT 0, resent_at {time},
  -- end of the quiet hours that delay the message
  held_until {time},
  -- Only the worker with the lease may record the result, and only with this fencing token.
  lease_until {time}, fence bigint NOT NULL DEFAULT 0,
  provider_id text, provider_status text, error_code bigint, error text,
  created_at {time} NOT NULL, updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, dedupe_key),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
CREATE INDEX sms_messages_due ON sms_messages (next_attempt_at) WHERE state IN ('queued', 'sending', 'ambiguous');
-- For reading the next messages of a rulebook, the most urgent first, without reading all waiting messages.
CREATE INDEX sms_messages_next ON sms_messages (rulebook_id, priority, next_attempt_at, id)
  WHERE state IN ('queued', 'sending', 'ambiguous');
CREATE INDEX sms_messages_id ON sms_messages (id, rulebook_id, created_at, state, contact, priority, error_code);
CREATE INDEX sms_messages_created ON sms_messages (created_at, rulebook_id, state);
CREATE INDEX sms_messages_simulated ON sms_messages (id, rulebook_id, created_at, state) WHERE call_id LIKE 'simulated-%';
-- For reading and erasing the data of a call.
CREATE INDEX sms_messages_call ON sms_messages (call_id, rulebook_id) WHERE call_id IS NOT NULL;

CREATE TABLE sms_attempts (
  rulebook_id {uuid} NOT NULL, sms_message_id {uuid} NOT NULL, number bigint NOT NULL,
  started_at {time} NOT NULL, finished_at {time},
  outcome text CHECK (outcome IN ('accepted', 'simulated', 'retry', 'ambiguous', 'permanent', 'credentials')),
  http_status bigint, error_code bigint, detail text,
  PRIMARY KEY (rulebook_id, sms_message_id, number),
  FOREIGN KEY (rulebook_id, sms_message_id) REFERENCES sms_messages (rulebook_id, id) ON DELETE CASCADE
);

-- The statuses that Twilio reported for accepted messages. Each status is stored once, even if it arrived too late to
-- have an effect.
CREATE TABLE sms_status_callbacks (
  rulebook_id {uuid} NOT NULL, sms_message_id {uuid} NOT NULL,
  provider_id text NOT NULL, status text NOT NULL,
  error_code bigint, received_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, sms_message_id, provider_id, status),
  FOREIGN KEY (rulebook_id, sms_message_id) REFERENCES sms_messages (rulebook_id, id) ON DELETE CASCADE
);

-- Numbers to which a rulebook sends no SMS messages, because their owner opted out.
CREATE TABLE sms_suppressions (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  number text NOT NULL,
  source text NOT NULL CHECK (source IN ('reply', 'provider')),
  since {time} NOT NULL, lifted_at {time}, lifted_by text,
  PRIMARY KEY (rulebook_id, id)
);
CREATE UNIQUE INDEX sms_suppressions_now ON sms_suppressions (number, rulebook_id) WHERE lifted_at IS NULL;

CREATE TABLE inbound_sms_messages (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  provider_id text NOT NULL, from_number text NOT NULL, to_number text NOT NULL, body text NOT NULL,
  -- whether the reply opts out (`stop`) or opts in again (`start`); NULL for any other reply
  meaning text CHECK (meaning IN ('stop', 'start')),
  received_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, provider_id)
);
-- For the search by phone number: the last eight digits of the sender's number, like calls_number in m05.
{postgres}CREATE INDEX inbound_sms_messages_number
{postgres}  ON inbound_sms_messages (right(translate(from_number, translate(from_number, '0123456789', ''), ''), 8), rulebook_id);
{sqlite}CREATE INDEX inbound_sms_messages_number ON inbound_sms_messages (substr(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(from_number, ' ', ''), '-', ''), '.', ''), '(', ''), ')', ''), '+', ''), '/', ''), ' ', ''), -8), rulebook_id);
{sqlite}CREATE INDEX inbound_sms_messages_odd_number ON inbound_sms_messages (rulebook_id, id) WHERE from_number GLOB '*[^0-9 .()+/-]*';

-- How many SMS messages a rulebook with a daily cap requested on each day. The day is in the rulebook's time zone, for
-- example 2026-11-24.
CREATE TABLE sms_days (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  day text NOT NULL,
  texts bigint NOT NULL,
  PRIMARY KEY (rulebook_id, day)
);

-- Identity of the table that contains the outbox. A table that was restored from a dump has another identity. Ringbook
-- must not send the old messages of such a table again.
CREATE TABLE outbox_place (
  one bigint NOT NULL PRIMARY KEY CHECK (one = 1),
  place text NOT NULL
);
