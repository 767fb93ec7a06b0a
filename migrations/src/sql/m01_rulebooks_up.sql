-- Rulebooks and their revisions. In almost every table whose rows belong to a rulebook, the primary key begins with
-- rulebook_id.

CREATE TABLE rulebooks (
  id {uuid} NOT NULL PRIMARY KEY,
  code text NOT NULL UNIQUE,
  head_revision bigint NOT NULL DEFAULT 0 CHECK (head_revision >= 0),
  -- `name` is the display name. Messages to `former_code`, the previous code, are still accepted. From `archived_at`
  -- on, the rulebook accepts no messages.
  name text,
  former_code text,
  archived_at {time},
  profile_version bigint NOT NULL DEFAULT 1,
  -- the authentication schemes that Vapi may use, and the replay window
  webhook_auth {json} NOT NULL,
  -- Every change of webhook_auth or of a webhook secret increments this version. A message that was verified under an
  -- older version is verified again.
  auth_version bigint NOT NULL DEFAULT 1,
  -- Whether the rulebook's SMS messages are sent to Twilio. This choice is stored in the database, because instances
  -- can have different settings. Otherwise an instance without the Twilio account would simulate messages that another
  -- instance would send.
  sms_delivery text NOT NULL DEFAULT 'twilio' CHECK (sms_delivery IN ('twilio', 'simulated', 'simulated_until_account')),
  sms_delivery_version bigint NOT NULL DEFAULT 1,
  created_at {time} NOT NULL
);
CREATE INDEX rulebooks_by_former_code ON rulebooks (former_code);

CREATE TABLE revisions (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  number bigint NOT NULL CHECK (number > 0),
  kind text NOT NULL CHECK (kind IN ('publish', 'roll_back', 'import')),
  -- the older revision that this rollback restored
  equals bigint,
  author text NOT NULL,
  comment text NOT NULL,
  -- The size in bytes, as JSON, of the rows that the revision added or ended. The size counts toward the daily quota of
  -- the rulebook.
  bytes bigint NOT NULL DEFAULT 0,
  created_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, number)
);
