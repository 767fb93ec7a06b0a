-- Rulebooks and their revisions. Tables whose rows belong to a rulebook have rulebook_id first in the primary key.

CREATE TABLE rulebooks (
  id {uuid} NOT NULL PRIMARY KEY,
  code text NOT NULL UNIQUE,
  head_revision bigint NOT NULL DEFAULT 0 CHECK (head_revision >= 0),
  -- name: display name. former_code: the previous code; messages to it are still accepted. archived_at: since when the
  -- rulebook accepts no messages.
  name text,
  former_code text,
  archived_at {time},
  profile_version bigint NOT NULL DEFAULT 1,
  -- the authentication schemes that are accepted from Vapi, and the replay window
  webhook_auth {json} NOT NULL,
  -- rises with every change of webhook_auth or of a webhook secret; a message that was verified under an older version
  -- is verified again
  auth_version bigint NOT NULL DEFAULT 1,
  -- Whether the rulebook's SMS messages are sent to Twilio. The database decides this, not the settings of an instance.
  -- Otherwise an instance without the Twilio account would simulate messages that another instance would send.
  sms_delivery text NOT NULL DEFAULT 'twilio' CHECK (sms_delivery IN ('twilio', 'simulated', 'simulated_until_account')),
  sms_delivery_version bigint NOT NULL DEFAULT 1,
  created_at {time} NOT NULL
);
CREATE INDEX rulebooks_by_former_code ON rulebooks (former_code);

CREATE TABLE revisions (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  number bigint NOT NULL CHECK (number > 0),
  kind text NOT NULL CHECK (kind IN ('publish', 'roll_back', 'import')),
  -- the older revision that this roll back restored
  equals bigint,
  author text NOT NULL,
  comment text NOT NULL,
  -- size in bytes, as JSON, of the rows that the revision ended or began; it counts against the rulebook's daily quota
  bytes bigint NOT NULL DEFAULT 0,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, number)
);
