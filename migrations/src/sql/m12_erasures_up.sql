-- Erasures of callers. An erasure is a job: another instance continues it if its instance stops.
CREATE TABLE erasures (
  rulebook_id {uuid} NOT NULL REFERENCES rulebooks (id), id {uuid} NOT NULL,
  -- Whom to erase: the last digits of a phone number, or a call. Both are NULL once the erasure is done.
  digits text, call_id text,
  -- How many calls and messages were erased so far.
  calls bigint NOT NULL DEFAULT 0, messages bigint NOT NULL DEFAULT 0,
  author text NOT NULL,
  -- The task that erases. Each task has a new id, so a task that was replaced cannot write any more.
  runner {uuid} NOT NULL,
  created_at {time} NOT NULL, updated_at {time} NOT NULL, finished_at {time},
  PRIMARY KEY (rulebook_id, id)
);
CREATE INDEX erasures_unfinished ON erasures (updated_at) WHERE finished_at IS NULL;
