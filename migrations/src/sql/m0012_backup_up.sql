-- Where the outbox is: the same tables brought back from a dump are others, and must not text again.
CREATE TABLE outbox_place (
  one bigint NOT NULL PRIMARY KEY CHECK (one = 1),
  place text NOT NULL
);
