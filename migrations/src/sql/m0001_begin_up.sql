-- The first schema. {uuid} {time} {json} {bytes} stand for the type that each database has for it.
-- What belongs to a rulebook has rulebook_id first in every key.

CREATE TABLE rulebooks (
  id {uuid} NOT NULL PRIMARY KEY,
  code text NOT NULL UNIQUE,
  head_revision bigint NOT NULL DEFAULT 0 CHECK (head_revision >= 0),
  -- which of Vapi's schemes are accepted, and the replay window
  webhook_auth {json} NOT NULL,
  -- rises with every change of webhook_auth or of a webhook secret: what was verified under an older one is verified again
  auth_version bigint NOT NULL DEFAULT 1,
  created_at {time} NOT NULL
);

CREATE TABLE revisions (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  number bigint NOT NULL CHECK (number > 0),
  kind text NOT NULL CHECK (kind IN ('publish', 'roll_back', 'import')),
  -- the older revision that a roll back brought back
  equals bigint,
  author text NOT NULL,
  comment text NOT NULL,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, number)
);

-- Rule rows: each stands since one revision until another.
CREATE TABLE rulebook_settings (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  currency text NOT NULL, time_zone text NOT NULL, languages {json} NOT NULL,
  rounding text NOT NULL CHECK (rounding IN ('half_up', 'half_even', 'up', 'down')), rounding_step bigint NOT NULL CHECK (rounding_step > 0),
  default_priority text NOT NULL CHECK (default_priority IN ('P1', 'P2', 'P3', 'P4')), default_sla_seconds bigint NOT NULL CHECK (default_sla_seconds >= 0),
  calendar text, unknown_service {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE fact_mappings (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  pointers {json} NOT NULL, kind text NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'time')), default_value text, "values" {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE services (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, keywords {json} NOT NULL, rank bigint NOT NULL, offer text NOT NULL CHECK (offer IN ('offered', 'refused', 'assessment')),
  price_from bigint, price_to bigint, quantity_fact text, unit {json}, lead_days_min bigint, lead_days_max bigint,
  lead_working_days boolean NOT NULL, reason {json}, notify {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE service_areas (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, postal_prefixes {json}, cities {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE calendars (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  open {json} NOT NULL, evening_from text NOT NULL, evening_until text NOT NULL, weekend {json} NOT NULL, holidays {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE price_adjustments (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, kind text NOT NULL CHECK (kind IN ('add', 'percent', 'multiply', 'floor', 'cap', 'set')),
  amount bigint, rate text, condition text, services {json}, stacking_group text, valid_from {time}, valid_until {time},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE taxes (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, rate text NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE priority_rules (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, condition text, priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  sla_seconds bigint NOT NULL CHECK (sla_seconds >= 0), notify {json}, template text,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE scripts (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  hook text NOT NULL CHECK (hook IN ('price', 'priority', 'tool')), rank bigint NOT NULL, source text NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE contacts (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  name text NOT NULL, phone text NOT NULL, language text NOT NULL, rank bigint NOT NULL, on_call boolean NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE message_templates (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  texts {json} NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE tools (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  runs text NOT NULL CHECK (runs IN ('quote', 'priority', 'service_check', 'scheduling', 'sms_alert', 'booking', 'script')),
  script text, template text,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE assistant_rules (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  rank bigint NOT NULL, condition text, answer text NOT NULL CHECK (answer IN ('assistant', 'transfer', 'refuse')),
  assistant_id text, contact text, message {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE TABLE cases (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  comment text, at {time} NOT NULL, said text, facts {json} NOT NULL, expect {json} NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);

-- Calls and what was said in them.
CREATE TABLE webhook_events (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id {uuid} NOT NULL,
  -- what makes it the same thing again; an amendment's ends in the hash of its body
  business_key text NOT NULL,
  delivery_key text NOT NULL,
  type text NOT NULL,
  call_id text,
  message_at {time},
  received_at {time} NOT NULL,
  body {bytes},
  body_hash {bytes} NOT NULL,
  answer {json} NOT NULL,
  state text NOT NULL CHECK (state IN ('recorded', 'amendment', 'unreadable')),
  amends {uuid},
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, business_key)
);
-- The rulebook comes last in these: beginning with it, an index looked as good as the primary key to a planner without
-- statistics, and each foreign key's check read all calls of the rulebook.
CREATE INDEX webhook_events_call ON webhook_events (call_id, rulebook_id);
CREATE INDEX webhook_events_amends ON webhook_events (amends, rulebook_id) WHERE amends IS NOT NULL;

CREATE TABLE calls (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  id text NOT NULL,
  status text NOT NULL,
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
CREATE INDEX calls_first_seen ON calls (first_seen_at, rulebook_id);

CREATE TABLE call_transcripts (
  rulebook_id {uuid} NOT NULL, call_id text NOT NULL,
  -- the report's turns take the place of those heard live
  origin text NOT NULL CHECK (origin IN ('live', 'report')),
  seq bigint NOT NULL,
  role text NOT NULL, text text NOT NULL, offset_ms bigint,
  PRIMARY KEY (rulebook_id, call_id, origin, seq),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id) ON DELETE CASCADE
);

CREATE TABLE decisions (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  call_id text, event_id {uuid} NOT NULL,
  purpose text NOT NULL,
  revision bigint NOT NULL,
  decided_for {time} NOT NULL,
  extracted {json} NOT NULL, result {json} NOT NULL,
  service text, priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  price_from bigint, price_to bigint,
  degraded boolean NOT NULL,
  duration_us bigint NOT NULL,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, revision) REFERENCES revisions (rulebook_id, number),
  FOREIGN KEY (rulebook_id, event_id) REFERENCES webhook_events (rulebook_id, id)
);
CREATE INDEX decisions_call ON decisions (call_id, rulebook_id);

CREATE TABLE tool_calls (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  tool_call_id text NOT NULL, call_id text, event_id {uuid} NOT NULL,
  name text NOT NULL, arguments {json} NOT NULL, result text, error text, ok boolean NOT NULL, duration_us bigint NOT NULL,
  decision_id {uuid}, created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id),
  FOREIGN KEY (rulebook_id, event_id) REFERENCES webhook_events (rulebook_id, id)
);
CREATE UNIQUE INDEX tool_calls_key ON tool_calls (rulebook_id, coalesce(call_id, ''), tool_call_id);

CREATE TABLE leads (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL, call_id text NOT NULL,
  customer_name text, customer_number text, customer_email text, address text, city text, postal_code text,
  problem text, service text, area text,
  currency text, price_from bigint, price_to bigint, quote_revision bigint,
  priority text CHECK (priority IN ('P1', 'P2', 'P3', 'P4')), sla_seconds bigint, due_at {time},
  wanted_slot text, decision_id {uuid}, quote_decision_id {uuid},
  -- came too late to text anyone
  late boolean NOT NULL DEFAULT {false},
  created_at {time} NOT NULL, updated_at {time} NOT NULL, erased_at {time},
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, call_id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);

-- Texts on their way.
CREATE TABLE sms_messages (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  -- call, contact and template: one text each
  dedupe_key text NOT NULL,
  call_id text, decision_id {uuid}, contact text NOT NULL, template text NOT NULL,
  priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  to_number text NOT NULL, body text NOT NULL, reference text NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'delivered', 'undelivered', 'ambiguous', 'dead', 'simulated')),
  attempts bigint NOT NULL DEFAULT 0, next_attempt_at {time} NOT NULL,
  -- whoever holds the lease may settle, and only with this fencing number
  lease_until {time}, fence bigint NOT NULL DEFAULT 0,
  provider_id text, provider_status text, error_code bigint, error text,
  created_at {time} NOT NULL, updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, dedupe_key),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
CREATE INDEX sms_messages_due ON sms_messages (next_attempt_at) WHERE state IN ('queued', 'sending', 'ambiguous');

CREATE TABLE sms_attempts (
  rulebook_id {uuid} NOT NULL, sms_message_id {uuid} NOT NULL, number bigint NOT NULL,
  started_at {time} NOT NULL, finished_at {time},
  outcome text CHECK (outcome IN ('accepted', 'simulated', 'retry', 'ambiguous', 'permanent', 'credentials')),
  http_status bigint, error_code bigint, detail text,
  PRIMARY KEY (rulebook_id, sms_message_id, number),
  FOREIGN KEY (rulebook_id, sms_message_id) REFERENCES sms_messages (rulebook_id, id) ON DELETE CASCADE
);

-- What a person should know.
CREATE TABLE notices (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  code text NOT NULL, severity text NOT NULL CHECK (severity IN ('info', 'warning', 'urgent')),
  -- what it is about, so that the same fact is told once and counted
  subject text NOT NULL, text text NOT NULL, what_to_do text NOT NULL, count bigint NOT NULL DEFAULT 1,
  first_at {time} NOT NULL, last_at {time} NOT NULL, resolved_at {time},
  PRIMARY KEY (rulebook_id, id)
);
CREATE UNIQUE INDEX notices_open ON notices (rulebook_id, code, subject) WHERE resolved_at IS NULL;

-- People and secrets.
CREATE TABLE api_keys (
  id {uuid} NOT NULL PRIMARY KEY,
  name text NOT NULL, prefix text NOT NULL, hash {bytes} NOT NULL UNIQUE,
  role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
  -- none is every rulebook
  rulebook_id {uuid} REFERENCES rulebooks (id),
  created_at {time} NOT NULL, expires_at {time}, last_used_at {time}, revoked_at {time}
);

CREATE TABLE audit_log (
  id {uuid} NOT NULL PRIMARY KEY,
  at {time} NOT NULL,
  actor text NOT NULL, actor_key_id {uuid}, address text, request_id text,
  rulebook_id {uuid} REFERENCES rulebooks (id),
  action text NOT NULL, resource text NOT NULL, code text NOT NULL, revision bigint,
  before {json}, after {json}
);
CREATE INDEX audit_log_at ON audit_log (at, id);

CREATE TABLE secrets (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('webhook', 'twilio_account_sid', 'twilio_auth_token', 'twilio_from', 'twilio_messaging_service_sid', 'vapi_api_key')),
  -- sealed under RINGBOOK_SECRET_KEY
  sealed {bytes} NOT NULL,
  created_at {time} NOT NULL, retired_at {time},
  PRIMARY KEY (rulebook_id, id)
);

-- One row of a code at a time.
CREATE UNIQUE INDEX rulebook_settings_now ON rulebook_settings (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX fact_mappings_now ON fact_mappings (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX services_now ON services (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX service_areas_now ON service_areas (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX calendars_now ON calendars (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX price_adjustments_now ON price_adjustments (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX taxes_now ON taxes (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX priority_rules_now ON priority_rules (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX scripts_now ON scripts (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX contacts_now ON contacts (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX message_templates_now ON message_templates (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX tools_now ON tools (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX assistant_rules_now ON assistant_rules (rulebook_id, code) WHERE until_revision IS NULL;
CREATE UNIQUE INDEX cases_now ON cases (rulebook_id, code) WHERE until_revision IS NULL;
