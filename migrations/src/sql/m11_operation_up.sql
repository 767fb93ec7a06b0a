-- Background work, data retention, and notices.

-- For each background job, the instance that runs the job, and the time at which the lease ends. The fencing token
-- never decreases. Writes with an older token are rejected.
CREATE TABLE leases (
  name text NOT NULL PRIMARY KEY,
  fence bigint NOT NULL CHECK (fence > 0),
  holder {uuid} NOT NULL,
  taken_at {time} NOT NULL, until {time} NOT NULL
);

-- The times at which periodic work, a backup or a reconciliation last succeeded on any instance. `/metrics` shows on
-- every instance how long ago that was.
CREATE TABLE last_runs (
  name text NOT NULL PRIMARY KEY,
  succeeded_at {time} NOT NULL
);

-- The time up to which Vapi's list of calls was read for a rulebook, and the number of consecutive failures.
CREATE TABLE reconcile_cursors (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  seen_until {time},
  failures bigint NOT NULL DEFAULT 0,
  updated_at {time} NOT NULL
);

-- Number of days after which data is purged; NULL means never.
CREATE TABLE retentions (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  transcripts_days bigint CHECK (transcripts_days > 0),
  bodies_days bigint CHECK (bodies_days > 0),
  events_days bigint CHECK (events_days > 0),
  -- For the raw bodies of messages that have no effect. The default also applies to a rulebook without a row.
  interim_bodies_days bigint NOT NULL DEFAULT 30 CHECK (interim_bodies_days > 0),
  version bigint NOT NULL CHECK (version > 0),
  updated_at {time} NOT NULL
);

-- Data older than purged_to has been purged.
CREATE TABLE purges (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  what text NOT NULL CHECK (what IN ('transcripts', 'bodies', 'events', 'interim_bodies')),
  purged_to {time} NOT NULL,
  rows bigint NOT NULL,
  updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, what)
);

CREATE TABLE notices (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  code text NOT NULL, severity text NOT NULL CHECK (severity IN ('info', 'warning', 'urgent')),
  -- identifies the problem, so that a repeat raises the count and not a second notice
  subject text NOT NULL, text text NOT NULL, what_to_do text NOT NULL, count bigint NOT NULL DEFAULT 1,
  first_at {time} NOT NULL, last_at {time} NOT NULL,
  -- when the operator got an SMS message about the notice
  told_at {time},
  -- when the notice was resolved, by whom, and the comment of this person
  resolved_at {time}, resolved_by text, comment text,
  PRIMARY KEY (rulebook_id, id)
);
CREATE UNIQUE INDEX notices_open ON notices (rulebook_id, code, subject) WHERE resolved_at IS NULL;
