-- The audit chain's head, requests that are done once, and the limits beyond which a price waits for a second person.

-- One row: the number and the MAC of the last entry, itself MACed, so that a cut tail does not fit it.
CREATE TABLE audit_head (
  one bigint NOT NULL PRIMARY KEY CHECK (one = 1),
  seq bigint NOT NULL CHECK (seq >= 0),
  mac {bytes} NOT NULL,
  -- the first entry that was written on a head which did not fit: what was done to it is never written over
  broken_since bigint,
  head_mac {bytes} NOT NULL
);

CREATE TABLE idempotency_keys (
  id {uuid} NOT NULL PRIMARY KEY,
  -- none is what belongs to no rulebook
  rulebook_id {uuid} REFERENCES rulebooks (id),
  key_id {uuid} NOT NULL,
  idempotency_key text NOT NULL,
  request_hash {bytes} NOT NULL,
  -- the answer, sealed: it may hold a secret that is shown once
  status bigint, answer {bytes},
  created_at {time} NOT NULL,
  UNIQUE (key_id, idempotency_key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Not a rule row: who may change prices must not be able to lift the limit in the same change.
CREATE TABLE guard_rails (
  rulebook_id {uuid} NOT NULL PRIMARY KEY REFERENCES rulebooks (id),
  lowest_price bigint, highest_price bigint, largest_change_percent text,
  version bigint NOT NULL CHECK (version > 0),
  updated_at {time} NOT NULL
);
