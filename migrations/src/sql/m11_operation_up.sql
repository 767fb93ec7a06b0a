-- Background work, how long data is kept, and what a person should know.

-- Who does a piece of background work, and until when. The fencing number only rises: work under an older one is refused.
CREATE TABLE leases (
  name text NOT NULL PRIMARY KEY,
  fence bigint NOT NULL CHECK (fence > 0),
  holder {uuid} NOT NULL,
  taken_at {time} NOT NULL, until {time} NOT NULL
);

-- When periodic work, a backup or a reconcile last succeeded, whoever did it: /metrics of every instance shows the age.
CREATE TABLE last_runs (
  name text NOT NULL PRIMARY KEY,
  succeeded_at {time} NOT NULL
);

-- Up to when Vapi was asked for a rulebook's calls, and how often in a row it did not answer.
CREATE TABLE reconcile_cursors (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  seen_until {time},
  failures bigint NOT NULL DEFAULT 0,
  updated_at {time} NOT NULL
);

-- After how many days data is purged; NULL is never.
CREATE TABLE retentions (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  transcripts_days bigint CHECK (transcripts_days > 0),
  bodies_days bigint CHECK (bodies_days > 0),
  events_days bigint CHECK (events_days > 0),
  -- raw messages of types without effect; a rulebook without a row has the default too
  interim_bodies_days bigint NOT NULL DEFAULT 30 CHECK (interim_bodies_days > 0),
  version bigint NOT NULL CHECK (version > 0),
  updated_at {time} NOT NULL
);

-- What is older than purged_to has been purged.
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
  -- what it is about, so that the same fact is told once and counted
  subject text NOT NULL, text text NOT NULL, what_to_do text NOT NULL, count bigint NOT NULL DEFAULT 1,
  first_at {time} NOT NULL, last_at {time} NOT NULL,
  -- when the operator got an SMS message about it
  told_at {time},
  -- who resolved it and what they wrote
  resolved_at {time}, resolved_by text, comment text,
  PRIMARY KEY (rulebook_id, id)
);
CREATE UNIQUE INDEX notices_open ON notices (rulebook_id, code, subject) WHERE resolved_at IS NULL;
