-- What runs once across instances, calls that were asked for, messages that are set aside, and how long data is kept.

-- Who does a piece of background work, and until when. The number only rises: work done under an older one is refused.
CREATE TABLE leases (
  name text NOT NULL PRIMARY KEY,
  fence bigint NOT NULL CHECK (fence > 0),
  holder {uuid} NOT NULL,
  taken_at {time} NOT NULL, until {time} NOT NULL
);

-- Up to when Vapi was asked for a rulebook's calls, and how often in a row it did not answer.
CREATE TABLE reconcile_cursors (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  seen_until {time},
  failures bigint NOT NULL DEFAULT 0,
  updated_at {time} NOT NULL
);

-- Days after which data is purged; none is kept. What came before `…_to` has been purged.
CREATE TABLE retentions (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  transcripts_days bigint CHECK (transcripts_days > 0),
  bodies_days bigint CHECK (bodies_days > 0),
  events_days bigint CHECK (events_days > 0),
  version bigint NOT NULL CHECK (version > 0),
  updated_at {time} NOT NULL
);
CREATE TABLE purges (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  what text NOT NULL CHECK (what IN ('transcripts', 'bodies', 'events')),
  purged_to {time} NOT NULL,
  rows bigint NOT NULL,
  updated_at {time} NOT NULL,
  PRIMARY KEY (rulebook_id, what)
);

-- Without them, each event that is purged would have all decisions and tool calls of its rulebook read.
CREATE INDEX decisions_event ON decisions (event_id, rulebook_id);
CREATE INDEX tool_calls_event ON tool_calls (event_id, rulebook_id);

-- A fourth state: what could be read and could not be taken in, again and again. SQLite cannot alter a CHECK; only the
-- text of the table changes, no row does, and the columns added below make every connection read it anew.
{sqlite}PRAGMA writable_schema = ON;
{sqlite}UPDATE sqlite_schema SET sql = replace(sql, '''amendment'', ''unreadable'')', '''amendment'', ''unreadable'', ''poisoned'')')
{sqlite}  WHERE type = 'table' AND name = 'webhook_events';
{sqlite}PRAGMA writable_schema = RESET;
{postgres}ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_state_check;
{postgres}ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_state_check
{postgres}  CHECK (state IN ('recorded', 'amendment', 'unreadable', 'poisoned'));
-- How it came: live, drained from the spool, reconciled with Vapi's list of calls, or replayed.
ALTER TABLE webhook_events ADD COLUMN origin text NOT NULL DEFAULT 'live';
-- Why it was set aside, in words of our own.
ALTER TABLE webhook_events ADD COLUMN set_aside text;
