-- Addresses at which calendar programs read the shifts without an API key. Only the hash of the token is stored.
CREATE TABLE calendar_feeds (
  id {uuid} NOT NULL PRIMARY KEY,
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id),
  name text NOT NULL,
  -- none is everybody
  contact text,
  -- the part of the token by which it is found; not secret
  prefix text NOT NULL, hash {bytes} NOT NULL UNIQUE,
  created_at {time} NOT NULL, revoked_at {time}
);
CREATE INDEX calendar_feeds_prefix ON calendar_feeds (prefix);
CREATE INDEX calendar_feeds_rulebook ON calendar_feeds (rulebook_id, id);
