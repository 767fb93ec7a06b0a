-- Rulebooks and their revisions. What belongs to a rulebook has rulebook_id first in its primary key.

CREATE TABLE rulebooks (
  id {uuid} NOT NULL PRIMARY KEY,
  code text NOT NULL UNIQUE,
  head_revision bigint NOT NULL DEFAULT 0 CHECK (head_revision >= 0),
  -- what people call it, the code that it had before (messages to it are still accepted), and since when it accepts none
  name text,
  former_code text,
  archived_at {time},
  profile_version bigint NOT NULL DEFAULT 1,
  -- which of Vapi's schemes are accepted, and the replay window
  webhook_auth {json} NOT NULL,
  -- rises with every change of webhook_auth or of a webhook secret: what was verified under an older one is verified again
  auth_version bigint NOT NULL DEFAULT 1,
  -- Whether its SMS messages go to Twilio. The database says it, never an instance's settings: an instance that lacks the
  -- account must not record as simulated what another one would send.
  sms_delivery text NOT NULL DEFAULT 'twilio' CHECK (sms_delivery IN ('twilio', 'simulated', 'simulated_until_account')),
  sms_delivery_version bigint NOT NULL DEFAULT 1,
  created_at {time} NOT NULL
);
CREATE INDEX rulebooks_by_former_code ON rulebooks (former_code);

CREATE TABLE revisions (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  number bigint NOT NULL CHECK (number > 0),
  kind text NOT NULL CHECK (kind IN ('publish', 'roll_back', 'import')),
  -- the older revision that a roll back restored
  equals bigint,
  author text NOT NULL,
  comment text NOT NULL,
  -- how many bytes of rows, as JSON, it ended and began: a rulebook has a quota of them a day
  bytes bigint NOT NULL DEFAULT 0,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, number)
);
