-- Rule rows. A row is valid from since_revision until the revision before until_revision. In each table, the index
-- `…_now` allows only one current row per code.

CREATE TABLE rulebook_settings (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  currency text NOT NULL, time_zone text NOT NULL, languages {json} NOT NULL,
  -- country of the callers' phone numbers and postal codes
  region text,
  rounding text NOT NULL CHECK (rounding IN ('half_up', 'half_even', 'up', 'down')), rounding_step bigint NOT NULL CHECK (rounding_step > 0),
  default_priority text NOT NULL CHECK (default_priority IN ('P1', 'P2', 'P3', 'P4')), default_sla_seconds bigint NOT NULL CHECK (default_sla_seconds >= 0),
  calendar text, unknown_service {json}, listens_to {json},
  -- the start of the rotations, the quiet hours, the maximum number of SMS messages a day, and the seconds that a P1
  -- waits for an acknowledgement before it escalates
  rotation_from text, quiet_from text, quiet_until text, daily_sms_cap bigint, escalate_after_s bigint,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX rulebook_settings_now ON rulebook_settings (rulebook_id, code) WHERE until_revision IS NULL;

-- Where in a message each fact is found.
CREATE TABLE fact_mappings (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  pointers {json} NOT NULL,
  kind text NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'time', 'phone', 'length', 'city', 'postal_code', 'email')),
  default_value text, "values" {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX fact_mappings_now ON fact_mappings (rulebook_id, code) WHERE until_revision IS NULL;

-- Phrases that rules listen for.
CREATE TABLE concepts (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  phrases {json} NOT NULL, "except" {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX concepts_now ON concepts (rulebook_id, code) WHERE until_revision IS NULL;

-- Words that change the meaning of the phrases around them. They mark a phrase as denied, past, hypothetical or about
-- somebody else.
CREATE TABLE cues (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  effect text NOT NULL, "before" bigint, "after" bigint, otherwise text, phrases {json} NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX cues_now ON cues (rulebook_id, code) WHERE until_revision IS NULL;

-- A classifier estimates from all words of a call how likely it is that a label applies to the call. The label is a
-- priority or a service.
CREATE TABLE classifiers (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  learns text NOT NULL, bias bigint, weights {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX classifiers_now ON classifiers (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE services (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, keywords {json} NOT NULL, weak_keywords {json},
  rank bigint NOT NULL, offer text NOT NULL CHECK (offer IN ('offered', 'refused', 'assessment')),
  price_from bigint, price_to bigint, quantity_fact text, unit {json}, lead_days_min bigint, lead_days_max bigint,
  lead_working_days boolean NOT NULL, reason {json}, notify {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX services_now ON services (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE service_areas (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, postal_prefixes {json}, cities {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX service_areas_now ON service_areas (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE calendars (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  open {json} NOT NULL, evening_from text NOT NULL, evening_until text NOT NULL, weekend {json} NOT NULL,
  -- holidays by date and by rule, and days with special opening hours
  holidays {json}, holiday_rules {json}, special_days {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX calendars_now ON calendars (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE price_adjustments (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, kind text NOT NULL CHECK (kind IN ('add', 'percent', 'multiply', 'floor', 'cap', 'set')),
  amount bigint, rate text,
  -- whether the amount applies to the whole job or to each unit; NULL means the whole job
  per text CHECK (per IN ('job', 'unit')),
  condition text, services {json}, stacking_group text, valid_from {time}, valid_until {time},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX price_adjustments_now ON price_adjustments (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE taxes (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, rate text NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX taxes_now ON taxes (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE priority_rules (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  names {json} NOT NULL, rank bigint NOT NULL, condition text, priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
  sla_seconds bigint NOT NULL CHECK (sla_seconds >= 0), safety boolean, say {json},
  notify {json}, template text, cool_down_s bigint, escalate_after_s bigint,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX priority_rules_now ON priority_rules (rulebook_id, code) WHERE until_revision IS NULL;

-- Scripts. A library is a script that other scripts import.
CREATE TABLE scripts (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  hook text NOT NULL CHECK (hook IN ('price', 'priority', 'tool', 'library')), rank bigint NOT NULL, source text NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX scripts_now ON scripts (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE contacts (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  name text NOT NULL, phone text NOT NULL, language text NOT NULL, rank bigint NOT NULL, on_call boolean NOT NULL,
  on_call_calendar text, rotation_week bigint, rotation_of bigint,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX contacts_now ON contacts (rulebook_id, code) WHERE until_revision IS NULL;

-- A shift override replaces planned shifts for a limited time. Its times are local times of the rulebook.
CREATE TABLE shift_overrides (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  contact text NOT NULL, instead_of text, "from" text NOT NULL, "until" text NOT NULL, comment text,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX shift_overrides_now ON shift_overrides (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE message_templates (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  texts {json} NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX message_templates_now ON message_templates (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE tools (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  runs text NOT NULL CHECK (runs IN ('quote', 'priority', 'service_check', 'scheduling', 'sms_alert', 'booking', 'script')),
  script text, template text,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX tools_now ON tools (rulebook_id, code) WHERE until_revision IS NULL;

CREATE TABLE assistant_rules (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  rank bigint NOT NULL, condition text, answer text NOT NULL CHECK (answer IN ('assistant', 'transfer', 'refuse')),
  assistant_id text, contact text, message {json},
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX assistant_rules_now ON assistant_rules (rulebook_id, code) WHERE until_revision IS NULL;

-- Example calls with the expected decision. A change that contradicts a case is not published.
CREATE TABLE cases (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), code text NOT NULL, since_revision bigint NOT NULL, until_revision bigint,
  comment text, at {time} NOT NULL, said text, facts {json} NOT NULL, expect {json} NOT NULL,
  PRIMARY KEY (rulebook_id, code, since_revision)
);
CREATE UNIQUE INDEX cases_now ON cases (rulebook_id, code) WHERE until_revision IS NULL;
