-- Escalations of P1 calls, and calendar feeds of the shifts.

-- One row per P1 call. Contacts are notified one after another until somebody acknowledges the call. A call that
-- somebody acknowledged without an escalation has a row too.
CREATE TABLE escalations (
  rulebook_id {uuid} NOT NULL, id {uuid} NOT NULL,
  -- NULL if the message that caused the escalation named no call
  call_id text,
  decision_id {uuid}, template text,
  after_s bigint NOT NULL CHECK (after_s >= 0),
  -- 0: the first contacts are notified, 1: the next contact, 2: all other contacts, 3: nobody is left
  step bigint NOT NULL CHECK (step BETWEEN 0 AND 3),
  -- the contacts notified at each step, with the time
  told {json} NOT NULL,
  started_at {time} NOT NULL,
  -- the time at which the next step is due, or NULL if no step is left
  next_at {time},
  acknowledged_at {time}, acknowledged_by text, acknowledged_how text CHECK (acknowledged_how IN ('reply', 'api')), comment text,
  PRIMARY KEY (rulebook_id, id),
  UNIQUE (rulebook_id, call_id),
  FOREIGN KEY (rulebook_id, call_id) REFERENCES calls (rulebook_id, id)
);
CREATE INDEX escalations_due ON escalations (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX escalations_open ON escalations (started_at, rulebook_id) WHERE acknowledged_at IS NULL;
CREATE INDEX escalations_taken ON escalations (acknowledged_at, rulebook_id) WHERE acknowledged_at IS NOT NULL;

-- URLs from which calendar programs read the shifts without an API key. Only the hash of the token in the URL is
-- stored.
CREATE TABLE calendar_feeds (
  id {uuid} NOT NULL PRIMARY KEY,
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  name text NOT NULL,
  -- NULL means all contacts
  contact text,
  -- The part of the token by which Ringbook finds the feed. This part is not secret.
  prefix text NOT NULL, hash {bytes} NOT NULL UNIQUE,
  created_at {time} NOT NULL, revoked_at {time}
);
CREATE INDEX calendar_feeds_prefix ON calendar_feeds (prefix);
CREATE INDEX calendar_feeds_rulebook ON calendar_feeds (rulebook_id, id);
