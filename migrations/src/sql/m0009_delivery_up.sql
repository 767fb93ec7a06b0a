-- Where the present series of tries of a text begins, when somebody sent it again: after this many tries, at this instant.
ALTER TABLE sms_messages ADD COLUMN series_from bigint NOT NULL DEFAULT 0;
ALTER TABLE sms_messages ADD COLUMN resent_at {time};
CREATE INDEX sms_messages_id ON sms_messages (id, rulebook_id);

-- What Twilio said of a text after it took it, each status once, also what came too late to matter.
CREATE TABLE sms_status_callbacks (
  rulebook_id {uuid} NOT NULL, sms_message_id {uuid} NOT NULL,
  provider_id text NOT NULL, status text NOT NULL,
  error_code bigint, received_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, sms_message_id, provider_id, status),
  FOREIGN KEY (rulebook_id, sms_message_id) REFERENCES sms_messages (rulebook_id, id) ON DELETE CASCADE
);

-- Numbers that a rulebook does not text, because their owner said so.
CREATE TABLE sms_suppressions (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  number text NOT NULL,
  source text NOT NULL CHECK (source IN ('reply', 'provider')),
  since {time} NOT NULL, lifted_at {time}, lifted_by text,
  PRIMARY KEY (rulebook_id, id)
);
CREATE UNIQUE INDEX sms_suppressions_now ON sms_suppressions (number, rulebook_id) WHERE lifted_at IS NULL;

-- What people text to us.
CREATE TABLE inbound_sms_messages (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  provider_id text NOT NULL, from_number text NOT NULL, to_number text NOT NULL, body text NOT NULL,
  -- what it means to us by itself
  meaning text CHECK (meaning IN ('stop', 'start')),
  received_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, provider_id)
);

-- Who ended a notice and what they wrote; when the operator was texted about it.
ALTER TABLE notices ADD COLUMN resolved_by text;
ALTER TABLE notices ADD COLUMN comment text;
ALTER TABLE notices ADD COLUMN told_at {time};
