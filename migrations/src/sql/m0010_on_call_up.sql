-- Who is on call when, who is texted and how often, and who took it.
ALTER TABLE contacts ADD COLUMN on_call_calendar text;
ALTER TABLE contacts ADD COLUMN rotation_week bigint;
ALTER TABLE contacts ADD COLUMN rotation_of bigint;
ALTER TABLE priority_rules ADD COLUMN cool_down_s bigint;
ALTER TABLE priority_rules ADD COLUMN escalate_after_s bigint;
ALTER TABLE rulebook_settings ADD COLUMN rotation_from text;
ALTER TABLE rulebook_settings ADD COLUMN quiet_from text;
ALTER TABLE rulebook_settings ADD COLUMN quiet_until text;
ALTER TABLE rulebook_settings ADD COLUMN daily_sms_cap bigint;
ALTER TABLE rulebook_settings ADD COLUMN escalate_after_s bigint;

-- The priority rule that asked for a text, and until when quiet hours hold it.
ALTER TABLE sms_messages ADD COLUMN rule text;
ALTER TABLE sms_messages ADD COLUMN held_until {time};
CREATE INDEX sms_messages_created ON sms_messages (created_at, rulebook_id);

-- Whether the daily cap kept its text from going.
ALTER TABLE leads ADD COLUMN capped boolean NOT NULL DEFAULT {false};

-- How many texts a rulebook with a daily cap has asked for, by its own day, as 2026-11-24.
CREATE TABLE sms_days (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  day text NOT NULL,
  texts bigint NOT NULL,
  PRIMARY KEY (rulebook_id, day)
);

-- Whom a P1 went to, one after the other, until somebody took it: one row a call. A call that is taken without having
-- been handed on has one too.
CREATE TABLE escalations (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  -- none where the message named no call
  call_id text,
  decision_id {uuid}, template text,
  after_s bigint NOT NULL CHECK (after_s >= 0),
  -- 0 is the first to be told, 1 the next, 2 all, 3 nobody is left
  step bigint NOT NULL CHECK (step BETWEEN 0 AND 3),
  -- the contacts told at each step, with the time
  told {json} NOT NULL,
  started_at {time} NOT NULL,
  -- when it goes on; none when it does not
  next_at {time},
  acknowledged_at {time}, acknowledged_by text, acknowledged_how text CHECK (acknowledged_how IN ('reply', 'api')), comment text,
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, call_id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
CREATE INDEX escalations_due ON escalations (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX escalations_open ON escalations (started_at, rulebook_id) WHERE acknowledged_at IS NULL;
CREATE INDEX escalations_taken ON escalations (acknowledged_at, rulebook_id) WHERE acknowledged_at IS NOT NULL;
